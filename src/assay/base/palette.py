"""The colours of all figures."""

BLUE, ORANGE, GREEN, PURPLE, RED = "#2f6fb0", "#d9822b", "#3a8f5c", "#8e5ea2", "#b3261e"

SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, "#5f6b7a", "#c7a008", "#4fb3bf")
"""Colours of several runs, networks or models in the same axes, in this order."""

PALE_GREY, GREY, DARK_GREY = "#9aa3ab", "#777777", "#333333"

# Text above a picture: darker than the colours of lines, so that small letters stay readable on white.
RIGHT, WRONG, DOUBTED = "#2d6a4a", RED, "#8a5a00"
