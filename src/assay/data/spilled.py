"""Rows of a table that lie in a temporary file: what is needed of each image, and too much of it for memory."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Rows(Protocol):
    """Rows that are fetched by a range or by their numbers, such as those of an array."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> NDArray[Any]: ...


class Spilled:
    """Rows of one shape in a file in ``$TMPDIR``, which no other process sees and which ends with this one.

    Args:
        shape: of a row.
        dtype: of its values.
    """

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        self._shape, self._dtype, self._count = tuple(shape), np.dtype(dtype), 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with this object
        weakref.finalize(self, self._file.close)

    def append(self, rows: NDArray[Any]) -> None:
        """Write ``[N, ...]`` behind the others; raises ``OSError`` where the disk is full."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self._count += len(rows)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        """The rows in memory, ``[R, ...]``."""
        self._file.flush()
        if not self._count:
            return np.zeros((0, *self._shape), self._dtype)
        # Mapped for this once: the pages of a lasting map would count as memory of this process.
        mapped = np.memmap(self._file, self._dtype, mode="r", shape=(self._count, *self._shape))
        return np.array(mapped[rows])
