"""TensorBoard: what a run shows of itself, in event files under ``tb/`` in its folder.

Nothing here changes a number of the run: no generator is drawn from, and the network is only read.
"""
