"""The columns of Parquet files: read whole, or, of images that memory should not hold, a group of rows at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.data.byte_range import for_arrow, opened
from assay.data.images import Parts
from assay.data.places import Place, UnreachableError, size_of, version_of

_ALWAYS_READ = 2**28  # bytes
_MOST_UNPACKED = 20  # times a file's size; encoded images hardly get smaller
_ROWS_AT_A_TIME = 64
_EXCERPT = 4096  # bytes
_BUFFER = 2**20  # bytes of a file that are read at a time
WINDOW, WINDOW_BYTES = 2048, 2**28
"""of a window of an epoch's order (windows.py): groups of rows with so many images or, if they are fewer, bytes"""


@dataclass(frozen=True)
class RowReader:
    """Fetches the encoded bytes of a row; a class so that it can be sent to worker processes."""

    column: pa.ChunkedArray

    def __call__(self, row: int) -> bytes | None:
        """The bytes of the image in ``row``; None if the row is empty.

        Raises:
            ValueError: the row names a file in place of the bytes.
        """
        return _image_in(self.column[row])


@dataclass
class GroupReader:
    """Fetches the encoded bytes of a row, and keeps the groups of rows that it read last.

    Attributes:
        files: of a split, in order.
        column: the name of the images' column.
        places: for each group of rows the number of its file and its own in the file, int64 ``[G, 2]``.
        starts: the first row of each group, and the number of rows, int64 ``[G + 1]``.
        chunks: where the column lies in each group's file: first byte and number of bytes, int64 ``[G, 2]``.
    """

    files: Sequence[Place]
    column: str
    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    chunks: NDArray[np.int64]
    _kept: OrderedDict[int, pa.ChunkedArray] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def of(cls, files: Sequence[Place], column: str) -> GroupReader:
        """Read where the groups lie from the ends of the files."""
        places, rows, chunks = [], [0], []
        for number, file in enumerate(files):
            with for_arrow(file) as source:
                about = pq.read_metadata(source)
            for group in range(about.num_row_groups):
                part = about.row_group(group)
                leaves = [part.column(place) for place in range(part.num_columns)]
                own = [leaf for leaf in leaves if leaf.path_in_schema.split(".")[0] == column]
                places.append((number, group))
                rows.append(part.num_rows)
                first = min(leaf.dictionary_page_offset or leaf.data_page_offset for leaf in own)
                chunks.append((first, sum(leaf.total_compressed_size for leaf in own)))
        starts = np.cumsum(rows, dtype=np.int64)
        return cls(files, column, np.array(places, np.int64), starts, np.array(chunks, np.int64))

    def __call__(self, row: int) -> bytes | None:
        """The bytes of the image in ``row``; None if the row is empty; raises as ``RowReader`` does."""
        group = self.group_of(row)
        if group not in self._kept:
            number, place = self.places[group].tolist()
            self._kept[group] = read_columns([self.files[number]], [self.column], [place])[self.column]
        self._kept.move_to_end(group)
        while len(self._kept) > self.parts.window:
            self._kept.popitem(last=False)
        return _image_in(self._kept[group][row - int(self.starts[group])])

    @cached_property
    def parts(self) -> Parts:
        """The groups, at least two of them in a window."""
        groups = max(1, len(self.chunks))
        images, size = max(1, self.starts[-1] / groups), max(1, self.chunks[:, 1].sum() / groups)
        window = max(2, int(np.ceil(min(WINDOW / images, WINDOW_BYTES / size))))
        return Parts(self.starts, window, self.forget)

    def forget(self) -> None:
        """Drop the groups that were read last."""
        self._kept.clear()
        pa.default_memory_pool().release_unused()  # or Arrow would keep the memory for what it reads next

    @cached_property
    def _versions(self) -> Sequence[str | None]:
        return [None if isinstance(file, Path) else version_of(file) for file in self.files]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": OrderedDict()}

    def excerpt(self, row: int) -> bytes:
        """Some of the file's bytes near the row, without reading its group; empty if they cannot be read.

        At an address, a request for each row would cost too much: what stands for them is their place in a known file.
        """
        group = self.group_of(row)
        if version := self._versions[self.places[group][0]]:
            return f"{version} {row}".encode()
        share = (row - self.starts[group]) / (self.starts[group + 1] - self.starts[group])
        first, size = self.chunks[group].tolist()
        try:
            with opened(self.files[self.places[group][0]]) as file:
                file.seek(first + int(share * size))
                content: bytes = file.read(_EXCERPT)
                return content
        except OSError:
            return b""

    def group_of(self, row: int) -> int:
        """The number of the group that a row lies in."""
        return int(np.searchsorted(self.starts, row, "right")) - 1


def read_columns(files: Sequence[Place], columns: list[str], groups: Sequence[int] | None = None) -> pa.Table:
    """Some columns of files, one after the other; of the given groups of rows, or of all.

    Raises:
        ValueError: a file is damaged, or unpacks to far more than images do.
    """
    try:
        return pa.concat_tables([_read_file(file, columns, groups) for file in files])
    except UnreachableError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{files[0]}: cannot be read ({' '.join(str(error).split())})") from None


def read_paths(files: Sequence[Place], column: str) -> pa.ChunkedArray:
    """The paths beside the images, without these; raises ``ValueError`` if a file is damaged."""
    try:
        parts = []
        for file in files:
            with for_arrow(file) as source, pq.ParquetFile(source) as parquet:
                parts.append(parquet.read([f"{column}.path"])[column])  # of a struct's fields one alone
    except UnreachableError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{files[0]}: cannot be read ({' '.join(str(error).split())})") from None
    return pc.struct_field(pa.chunked_array([chunk for part in parts for chunk in part.chunks]), "path")


def _read_file(file: Place, columns: list[str], groups: Sequence[int] | None) -> pa.Table:
    """Read some rows at a time: a small file can unpack to more than the memory holds."""
    most, size, batches = max(_ALWAYS_READ, _MOST_UNPACKED * size_of(file)), 0, []
    ahead = _BUFFER if isinstance(file, Path) else 0  # or a group is held twice; at an address, it is one request
    with for_arrow(file) as source, pq.ParquetFile(source, buffer_size=ahead) as parquet:
        schema = pa.schema([parquet.schema_arrow.field(name) for name in columns])
        for batch in parquet.iter_batches(_ROWS_AT_A_TIME, row_groups=groups, columns=columns):
            size += batch.nbytes
            if size > most:
                raise ValueError(f"{file}: unpacks to more than {most:,} bytes; images do not")
            batches.append(batch.select(columns))
    return pa.Table.from_batches(batches, schema)


def _image_in(row: pa.Scalar) -> bytes | None:
    content: Any = row.as_py()
    image: bytes | None = content["bytes"] if isinstance(content, dict) else content
    if image is None and content and content.get("path"):
        raise ValueError("the row holds a path but no bytes; save the set with its images embedded")
    return image
