"""Walktall: the posture clip's own code, the same on the board, in the simulator and under the host's tool.

It imports nothing: a module of the package is imported by name (``from walktall import records``), and those that a
board does not need stay unloaded.
"""

__version__ = "0.1.0"
