"""Which code decides the numbers of a run."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

_PACKAGES = ("base", "classifier", "data", "models", "recipe", "run", "training")


@cache
def code_version() -> str:
    """16 hexadecimal digits that change with the code that decides a run's numbers, and with torch's version.

    Commands, tables and pictures are not part of it: they may change without a run being done again.
    """
    root = Path(__file__).parents[2]
    files = [file for package in _PACKAGES for file in (root / package).rglob("*.py")]
    digest = hashlib.sha256(metadata.version("torch").encode())
    for file in sorted(files):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
