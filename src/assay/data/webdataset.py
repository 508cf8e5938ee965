"""``webdataset:PATH``: image sets in tar shards, in the layout of the webdataset library.

The files of a sample follow one another and have the same name up to its first dot: an image, and its label in ``.cls``
(a number or the name of a class) or in a field of ``.json``. Shards are not compressed, so that an image is read from
its place, in any order; the places are looked up once and kept in the cache folder.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BufferedReader
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.base.json_files import JsonObject, json_object, parse_json, read_json
from assay.base.registry import nearest
from assay.base.text import shorten
from assay.data.byte_range import ByteRange, opened
from assay.data.cache import Fingerprint, cached
from assay.data.choices import OnUnlabelled
from assay.data.images import EXTENSIONS, EncodedImages
from assay.data.labels import Column, class_numbers, known_labels, occurring, without_unlabelled
from assay.data.places import Place, UnreachableError, is_file, read_range, size_of, version_of
from assay.data.split import Source, Split

CLASSES_FILE = "classes.json"
"""beside the shards; holds ``{"names": [...]}``, the names of the classes in the order of their numbers"""
_LARGEST_LABEL = 2**20  # bytes of a .cls or .json file
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")  # that fits into int64


@dataclass(frozen=True)
class RangeReader:
    """Opens images in their shards; a class so that it can be sent to worker processes."""

    files: Sequence[Place]
    shards: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __call__(self, row: int) -> BufferedReader | bytes:
        """The bytes of the image in ``row``: as a file, or, of an address, in one request."""
        file, start, size = self.files[self.shards[row]], int(self.starts[row]), int(self.sizes[row])
        return BufferedReader(ByteRange(file, start, size)) if isinstance(file, Path) else read_range(file, start, size)

    def excerpt(self, row: int) -> bytes:
        """What stands for the bytes of an image at an address, without reading them: its place in a known shard."""
        shard = int(self.shards[row])
        return f"{self.versions[shard]} {self.starts[row]} {self.sizes[row]}".encode()

    @cached_property
    def versions(self) -> Sequence[str | None]:
        """The versions of the shards, as far as an address tells them."""
        return [None if isinstance(file, Path) else version_of(file) for file in self.files]


@dataclass
class _Index:
    """The samples of a shard, in order: their names, the places of their images, and their labels, "" for none."""

    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    """the ending of each file that is neither an image nor a label"""


def read_webdataset(
    files: Mapping[str, Sequence[Place]],
    label: str | None = None,
    unlabelled: OnUnlabelled = "error",
    *,
    fingerprint: Fingerprint,
) -> Source:
    """Labelled splits from tar shards.

    Numbers are those of ``classes.json`` beside the shards; without one they become the classes that occur in train,
    named by their numbers.

    Args:
        files: the shards of each split, in order.
        label: a field of each sample's ``.json``; None for its ``.cls``.
        unlabelled: ``"skip"`` leaves samples without a label out, and a split that has no other.
        fingerprint: tells whether a kept index is still that of the shard.

    Raises:
        ValueError: not an uncompressed tar file, one that is cut off, a sample with two images, two samples of one
            name, a sample without a label, or a label that is no class.
    """
    shards = {split: [_read_index(file, label, fingerprint) for file in part] for split, part in files.items()}
    rows = {split: _Rows(files[split], part) for split, part in shards.items()}
    if not len(rows["train"].names):
        raise ValueError(f"{files['train'][0]}: no image in train")
    columns = {split: Column(label or "cls", files[split][0], part.place) for split, part in rows.items()}
    given = {split: part.labels() for split, part in rows.items()}
    labels = {split: known_labels(part, columns[split]) for split, part in given.items()}
    described = _class_names(files["train"][0].parent)
    classes = described or occurring(labels["train"], columns["train"])
    splits = {}
    for split, part in rows.items():
        are_numbers = bool(described) and pa.types.is_integer(labels[split].type)
        numbers = class_numbers(labels[split], columns[split], classes, are_numbers=are_numbers)
        stored = part.reader.excerpt if all(part.reader.versions) else None
        splits[split] = Split(EncodedImages(part.reader, part.names, tuple(files[split]), stored=stored), numbers)
    unused = Counter(text for part in shards.values() for shard in part for text in _unpacked(shard["unused"]))
    odd = [f"{count:,} files .{ending} in the shards: no images, no labels" for ending, count in sorted(unused.items())]
    return without_unlabelled(Source(splits, classes, odd), given, columns, unlabelled)


class _Rows:
    """The samples of a split, one shard after the other."""

    def __init__(self, files: Sequence[Place], shards: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        of_shard = [len(shard["starts"]) for shard in shards]
        starts, sizes = (np.concatenate([shard[name] for shard in shards]) for name in ("starts", "sizes"))
        self.reader = RangeReader(tuple(files), np.repeat(np.arange(len(files)), of_shard), starts, sizes)
        keys = [key for shard in shards for key in _unpacked(shard["names"])]
        self._labels = [text for shard in shards for text in _unpacked(shard["labels"])]
        stems = [file.stem for file, count in zip(files, of_shard, strict=True) for _ in range(count)]
        self.names = [f"{stem}/{key}" for stem, key in zip(stems, keys, strict=True)]
        if len(set(self.names)) < len(self.names):  # such as a/0.tar and b/0.tar
            self.names = [f"{files[shard]}/{key}" for shard, key in zip(self.reader.shards, keys, strict=True)]

    def place(self, row: int) -> str:
        """The shard of a row, and the sample's name in it."""
        return f"{self.reader.files[self.reader.shards[row]]}: sample {PurePosixPath(self.names[row]).name}"

    def labels(self) -> pa.ChunkedArray:
        """Numbers if all labels are such, else text; null for none."""
        given = [text for text in self._labels if text]
        are_numbers = all(_WHOLE_NUMBER.fullmatch(text) for text in given)
        values = [(int(text) if are_numbers else text) if text else None for text in self._labels]
        return pa.chunked_array([pa.array(values, pa.int64() if are_numbers else pa.string())])


def _read_index(file: Place, label: str | None, fingerprint: Fingerprint) -> Mapping[str, NDArray[Any]]:
    """A shard's index as arrays, kept for the next time."""

    def compute() -> dict[str, NDArray[Any]]:
        index = _index(file, label)
        places = {"starts": np.array(index.starts, np.int64), "sizes": np.array(index.sizes, np.int64)}
        texts = {"names": index.names, "labels": index.labels, "unused": index.unused}
        return places | {name: _packed(values) for name, values in texts.items()}

    return cached(fingerprint(EncodedImages(_nothing, (), [file]), f"tar index 1 {label}"), compute)


def _packed(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Texts without a null character as an array, each of them ended by one."""
    return np.frombuffer("".join(f"{text}\0" for text in texts).encode(errors="surrogateescape"), np.uint8)


def _unpacked(content: NDArray[np.uint8]) -> list[str]:
    return content.tobytes().decode(errors="surrogateescape").split("\0")[:-1]


def _index(file: Place, label: str | None) -> _Index:
    index, size = _Index(), size_of(file)
    try:
        with opened(file) as content, tarfile.open(fileobj=content, mode="r:") as archive:
            for name, members in groupby(_regular_files(archive), lambda member: _sample(member.name)):
                parts = {PurePosixPath(member.name).name.partition(".")[2].lower(): member for member in members}
                images = {ending: member for ending, member in parts.items() if f".{ending}" in EXTENSIONS}
                if len(images) > 1:
                    raise ValueError(f"{file}: sample {name} holds {len(images)} images, expected one")
                used = {*images, "cls" if label is None else "json"} if images else set()
                index.unused += parts.keys() - used
                for image in images.values():  # one, or none
                    if image.offset_data + image.size > size:
                        raise ValueError(f"{file}: cut off in {image.name}")
                    index.names.append(name)
                    index.starts.append(image.offset_data)
                    index.sizes.append(image.size)
                    index.labels.append(_label(archive, parts, label, f"{file}: sample {name}"))
    except UnreachableError:
        raise
    except (OSError, tarfile.TarError, EOFError) as error:
        reason = shorten(" ".join(str(error).split()), 120)
        raise ValueError(
            f"{file}: not a tar file, compressed, or cut off ({reason}); a compressed one has to be unpacked"
        ) from None
    double = [name for name, times in Counter(index.names).items() if times > 1]
    if double:
        raise ValueError(f"{file}: two samples are called {double[0]}")
    return index


def _regular_files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """No links, which could lead out of the archive, and no hidden files, as macOS adds them."""
    for member in archive:
        if member.isfile() and not PurePosixPath(member.name).name.startswith("."):
            yield member


def _sample(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.parent / path.name.partition(".")[0])


def _label(
    archive: tarfile.TarFile, parts: Mapping[str, tarfile.TarInfo], field_of_json: str | None, place: str
) -> str:
    """A sample's label as text, "" for none; raises ``ValueError`` if it is neither a number nor a text."""
    member = parts.get("cls" if field_of_json is None else "json")
    if member is None:
        return ""
    if member.size > _LARGEST_LABEL:
        raise ValueError(f"{place}: {member.name} has {member.size:,} bytes; a label has at most {_LARGEST_LABEL:,}")
    file = archive.extractfile(member)
    assert file is not None  # a regular file
    try:
        text = file.read().decode()
    except UnicodeDecodeError:
        raise ValueError(f"{place}: {member.name} is not text") from None
    if field_of_json is None:
        return text.strip().replace("\0", "")
    try:
        values = parse_json(text)
    except ValueError as error:
        raise ValueError(f"{place}: {member.name}: {error}") from None
    value = values.get(field_of_json, "") if isinstance(values, dict) else ""
    if value == "" and isinstance(values, dict) and values:
        raise ValueError(f"{place}: {member.name} has no field {field_of_json!r}: {nearest(field_of_json, values)}")
    if isinstance(value, bool) or not isinstance(value, int | str | None):
        raise ValueError(f"{place}: {field_of_json} is {shorten(str(value), 60)}, expected a number or a text")
    return "" if value is None else str(value)


def _json_at(file: Place) -> JsonObject:
    if isinstance(file, Path):
        return read_json(file)
    return json_object(read_range(file, 0, size_of(file)), str(file)) if is_file(file) else {}


def _nothing(_row: int) -> None:
    """Of a shard whose images are not known yet."""


def _class_names(folder: Place) -> tuple[str, ...]:
    file = folder / CLASSES_FILE
    names = _json_at(file).get("names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{file}: names: expected a list of texts")
    return tuple(names)
