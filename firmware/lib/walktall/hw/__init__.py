"""The only files that touch CircuitPython's hardware: thin, and handed what they drive.

Imported by ``code.py``, by ``walktall.boards`` and by the simulator's board, by nothing else. No module here imports
``board``, ``busio``, ``pwmio`` or the like: pins and buses are handed in, so that all of it runs on the desk.
"""


def let_go(modules, *names):
    """Forget modules whose work is done, so that their memory is free again; whoever needs one imports it anew.

    :param dict modules: ``sys.modules``
    :param str names: of modules and of packages, with all that lies in them
    """
    for loaded in list(modules):
        for name in names:
            if loaded == name or loaded.startswith(name + "."):
                del modules[loaded]
                at = loaded.rfind(".")
                if at > 0 and hasattr(modules.get(loaded[:at]), loaded[at + 1 :]):
                    # The package knows its modules as attributes.
                    delattr(modules[loaded[:at]], loaded[at + 1 :])
                break
