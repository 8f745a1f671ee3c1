"""The compiled twin of the detection chain: types for the firmware's own files, and what `build` makes of them.

Which of the two runs, and why, is `walktall_sim.engine`'s to say.
"""
