"""A part of a file as a file of its own: a member of a tar archive, read from its place; and the whole of one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.data.places import Place, read_range, size_of

_READ_AHEAD = 2**22  # bytes: at an address a request costs as much time as some megabytes


class ByteRange(io.RawIOBase):
    """The ``size`` bytes of a file from ``start`` on, to be read and not written; raises ``OSError`` if it is gone.

    At an address, each read is a request for exactly the bytes that it gives.
    """

    def __init__(self, file: Place, start: int, size: int) -> None:
        super().__init__()
        self._start, self._size, self._place = start, size, 0
        self._file = io.FileIO(file) if isinstance(file, Path) else file

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
        first, part = self._start + self._place, memoryview(buffer)[:left]
        if isinstance(self._file, io.FileIO):
            self._file.seek(first)
            read = self._file.readinto(part)
        else:
            part[:] = read_range(self._file, first, left)
            read = left
        self._place += read
        return read

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._file, io.FileIO):
            self._file.close()
        super().close()


def opened(file: Place) -> io.BufferedReader:
    """A file to be read from its beginning; at an address, 4 MiB ahead."""
    if isinstance(file, Path):
        return file.open("rb")
    return io.BufferedReader(ByteRange(file, 0, size_of(file)), _READ_AHEAD)


@contextmanager
def for_arrow(file: Place) -> Iterator[Path | ByteRange]:
    """What Arrow takes for a Parquet file; at an address it requests the end and the chunks of the columns alone."""
    if isinstance(file, Path):
        yield file
        return
    with ByteRange(file, 0, size_of(file)) as ranges:
        yield ranges
