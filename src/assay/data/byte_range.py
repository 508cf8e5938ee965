"""A part of a file as a file of its own: a member of a tar archive, read from its place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class ByteRange(io.RawIOBase):
    """The ``size`` bytes of a file from ``start`` on, to be read and not written; raises ``OSError`` if it is gone."""

    def __init__(self, file: Path, start: int, size: int) -> None:
        super().__init__()
        self._start, self._size, self._place = start, size, 0
        self._file = io.FileIO(file)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place of the part."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer of bytes with what comes next, as far as the part goes; return their number."""
        left = max(0, min(len(buffer), self._size - self._place))
        self._file.seek(self._start + self._place)
        read = self._file.readinto(memoryview(buffer)[:left])
        self._place += read
        return read

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
