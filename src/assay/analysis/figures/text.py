"""Names from the data as text of figures and tables."""

from __future__ import annotations

import textwrap


def plain(text: str) -> str:
    """The text as a figure shows it as it is: a ``$`` would begin a formula."""
    return text.replace("$", r"\$")


def wrapped(text: str, letters: int) -> str:
    """The lines of a text, each broken after at most so many letters."""
    return plain("\n".join(textwrap.fill(line, letters) for line in text.splitlines()))


def one_line(text: str) -> str:
    """A name from the data as printable text: no line breaks, no bytes that are no letters."""
    visible = text.encode(errors="backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in visible)
