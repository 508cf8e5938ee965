"""Names and values from files as text: one printable line, and no longer than there is room for."""

from __future__ import annotations

from typing import Any


def one_line(text: str) -> str:
    """Return the text as one printable line: control characters become spaces, undecodable bytes escapes."""
    # The names of files may hold bytes that are not UTF-8; Python keeps each as a lone surrogate.
    visible = text.encode(errors="backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in visible)


def shorten(text: str, most: int, *, keep_end: bool = False) -> str:
    """Return the text as one printable line of at most ``most`` characters, the ellipsis of a longer one included.

    ``keep_end`` cuts the beginning off and not the end: the names of files differ at their ends.
    """
    line = one_line(text)
    if len(line) <= most:
        return line
    return f"…{line[1 - most :]}" if keep_end else f"{line[: most - 1]}…"


def quoted(value: Any, most: int = 120) -> str:
    """Return the value as an error quotes it: as Python writes it, cut to ``most`` characters."""
    return shorten(repr(value), most)
