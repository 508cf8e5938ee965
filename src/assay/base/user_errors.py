"""One-line explanations of errors that are not bugs."""

from __future__ import annotations

from assay.base.text import one_line, shorten

_LONGEST = 1500  # characters; a damaged file may hold a name of any length, and an error quotes it


def explain(error: Exception) -> str | None:
    """One line for a user's mistake or a limit of the machine; None for anything else, which is a bug."""
    text = shorten(" ".join(str(error).split()), _LONGEST)
    if isinstance(error, OSError):
        name = shorten(str(error.filename), 1000, keep_end=True)
        return one_line(f"{name}: {error.strerror}") if error.filename and error.strerror else text
    if isinstance(error, ValueError) or "home directory" in text:  # pathlib's complaint about ~nobody
        return text
    # By its name, because torch, whose error it is, takes seconds to import.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in text:
        return f"out of memory ({text or 'the system refused'}); try a smaller train.batch_size or data.size"
    return None
