"""Random changes to a whole batch at once, with a draw of its own for every image.

A function takes uint8 pixels ``[B, C, H, W]``, a generator on their device and its strength by
keyword, and returns new pixels of the same shape and type. Its distribution is that of
torchvision's transform of that kind, if torchvision has one. Separate functions draw the parameters and
apply them.
"""
