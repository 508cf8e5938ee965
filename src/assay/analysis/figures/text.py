"""Text as matplotlib draws it."""

from __future__ import annotations

import textwrap

from assay.base.text import shorten


def plain(text: str) -> str:
    """Return the text with every ``$`` escaped, which would begin a formula."""
    return text.replace("$", r"\$")


def wrapped(text: str, letters: int) -> str:
    """Return the text with each line broken after at most ``letters`` characters."""
    return plain("\n".join(textwrap.fill(line, letters) for line in text.splitlines()))


def short(text: str, most: int, *, keep_end: bool = False) -> str:
    """Return the text cut to one line of at most ``most`` characters, as ``base.text.shorten`` cuts it."""
    return plain(shorten(text, most, keep_end=keep_end))
