"""The only files that touch CircuitPython's hardware: thin, and handed what they drive.

Imported by ``code.py``, by ``walktall.boards`` and by the simulator's board, by nothing else. No module here imports
``board``, ``busio``, ``pwmio`` or the like: pins and buses are handed in, so that all of it runs on the desk.
"""
