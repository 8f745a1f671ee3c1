"""Compiles every module below /drive with the board's own compiler; prints how many, and those that it refuses."""

import os

n = 0


def walk(folder):
    global n
    for name in sorted(os.listdir(folder)):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            walk(path)
        elif name.endswith(".py"):
            n += 1
            with open(path) as file:
                try:
                    compile(file.read(), path, "exec")
                except SyntaxError as fault:
                    print(path, fault)


walk("/drive")
print(n)
