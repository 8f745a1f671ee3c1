"""The walker's tool: finds the clip, fetches what it has kept, stores it on this computer, reports it.

It knows the device by :mod:`walktall.records` and :mod:`walktall.wire` alone (with the words of
:mod:`walktall.meanings`), and believes nothing that comes from a port until it is checked.
"""
