"""Bytes that a call of each function of the firmware takes of CircuitPython's stack for frames, read out of its code.

A frame is `mp_code_state_t` (py/bc.h): five words, a word for each variable and each value in flight, three for each
`try` or `with` that may be open; in pieces of 8 bytes (py/pystack.h). How many stands in the first bytes of a
function's code (MP_BC_PRELUDE_SIG_DECODE_INTO in py/bc.h), which both dialects' compilers write alike.
"""

import sys

import uctypes

_FUNCTION = type(lambda: 0)
_WORD = 4


def frame_bytes(function):
    """Of a Python function."""
    code = int.from_bytes(uctypes.bytearray_at(id(function) + 3 * _WORD, _WORD), "little")
    head = uctypes.bytearray_at(code, 8)
    state = head[0] >> 3 & 15
    tries = head[0] >> 2 & 1
    k = 0
    while head[k] & 0x80:
        k += 1
        state |= (head[k] & 0x30) << 2 * (k - 1)
        tries |= (head[k] & 2) << k - 1
    return ((5 + state + 1 + 3 * tries) * _WORD + 7) // 8 * 8


def tell(module, within, name, thing):
    if isinstance(thing, _FUNCTION):
        print(module, within + name, frame_bytes(thing))
    elif isinstance(thing, type) and not within:
        for member in dir(thing):
            tell(module, name + ".", member, getattr(thing, member))


class Nothing:
    """Stands for a module of CircuitPython."""


for name in ("board", "microcontroller", "supervisor"):
    sys.modules[name] = Nothing()
with open("/board/code.py") as file:
    text = file.read()
space = {"__name__": "code"}
exec(text[: text.rindex("\ntry:\n    main()\n")], space)
for name in sorted(space):
    tell("code", "", name, space[name])
with open("/vectors/modules.txt") as file:
    for name in file.read().split():
        module = __import__("walktall." + name, None, None, ("x",))
        for inner in dir(module):
            tell(name, "", inner, getattr(module, inner))
