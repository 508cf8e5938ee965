"""Any set of images as shards: Parquet files in the hub's layout, or tar files in webdataset's."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from assay.base.atomic import replace_file
from assay.base.json_files import to_json
from assay.data.choices import OnBadImage, OnUnlabelled
from assay.data.images import BadImageError, EncodedImages, FileImages, Images, open_image, quiet
from assay.data.places import UnreachableError, is_address
from assay.data.shards import SHARDS
from assay.data.sources import load_source, name_of_set
from assay.data.split import Split
from assay.data.webdataset import CLASSES_FILE

ShardKind = Literal["parquet", "webdataset"]
_FILES = {"held-out": "validation"}  # as the hub calls the split
_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}  # of others the format's own name
_ROWS = 100  # of a group in a Parquet file, as the hub's own tools write it for images
_TABLE = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()})


@dataclass(frozen=True)
class Packed:
    """What was written: the shards of each split and how many images they hold; and what was left out, and why."""

    shards: Mapping[str, Sequence[Path]]
    images: Mapping[str, int]
    bad: Sequence[BadImageError]
    remarks: Sequence[str] = ()
    """on files that are no images of the set, and on images without a label"""


@dataclass(frozen=True)
class Encoded:
    """An image as it is stored, with its name, ending (``jpg``) and class."""

    content: bytes
    name: str
    ending: str
    label: int


class Writer(Protocol):
    """Writes images into one shard."""

    def add(self, image: Encoded) -> None:
        """Append an image."""

    def close(self) -> None:
        """Write what is left, and the end of the file."""


def pack(
    data: str | Path,
    out: str | Path,
    *,
    to: ShardKind = "webdataset",
    shard_size: int = 256,
    on_bad_image: OnBadImage = "error",
    root: str | Path | None = None,
    label: str | None = None,
    unlabelled: OnUnlabelled = "error",
    shuffle: int | None = None,
    watch: Callable[[Path, int], object] = lambda _file, _images: None,
) -> Packed:
    """Copy a set's images, as they are stored, into shards: a few large files in place of many small ones.

    The splits stay; pixels that are stored as such, as the digits are, become PNG.

    Args:
        data: a set's name, as in a recipe, or its folder or file.
        out: a new folder, which is there at the end alone.
        to: ``"webdataset"``, tar files from which images are read in any order; or ``"parquet"``, as on the hub.
        shard_size: of a shard, in MiB, at least 1.
        on_bad_image: ``"skip"`` leaves out what is no image; only the headers are looked at.
        root: the folder that holds the named sets.
        label: the label column of a set in shards that has several.
        unlabelled: ``"skip"`` leaves out images without a label.
        shuffle: the seed of a random order of the images of each split; None keeps their order.
        watch: called with each shard that is finished, and the number of its images.

    Raises:
        BadImageError: one is no image, and ``on_bad_image`` is ``"error"``.
        ValueError: there is no such set, or the folder is there already.
    """
    if shard_size < 1:
        raise ValueError(f"--shard-size: {shard_size} is not at least 1 MiB")
    if is_address(str(out)):
        raise ValueError(f"--out: {out}: shards are written to a local folder; copy them from there")
    out = Path(out).expanduser()
    folder_of_sets = None if root is None else Path(root).expanduser()
    source = load_source(name_of_set(data), root=folder_of_sets, label=label, unlabelled=unlabelled)
    shards: dict[str, list[Path]] = {}
    images: dict[str, int] = {}
    bad: list[BadImageError] = []
    with _new_folder(out) as folder:
        for name, split in source.splits.items():
            if shuffle is not None:
                split = split.take(np.random.default_rng(shuffle).permutation(len(split)))
            shards[name], images[name] = [], 0
            for shard in _in_shards(_encoded(split, on_bad_image, bad), shard_size * 2**20):
                stem = f"{_FILES.get(name, name)}-{len(shards[name]):05d}"
                file, count = _write(shard, to, folder / stem, source.classes)
                shards[name].append(out / file.name)
                images[name] += count
                watch(out / file.name, count)
        if to == "webdataset":
            replace_file(folder / CLASSES_FILE, to_json({"names": list(source.classes)}))
    return Packed(shards, images, bad, [*source.odd, *source.unlabelled])


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out``, which gets its name when the block is done: a part of a set looks like a whole one."""
    if out.exists():
        raise ValueError(f"{out} is there already; choose another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield folder
        folder.chmod(0o755)
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _encoded(split: Split, on_bad_image: OnBadImage, bad: list[BadImageError]) -> Iterator[Encoded]:
    images, rows = split.stored()
    for row, label in zip(rows.tolist(), split.labels.tolist(), strict=True):
        name = images.names[row]
        try:
            content = _content(images, row)
            with quiet(), open_image(io.BytesIO(content), name) as image:
                kind = image.format or ""
        except BadImageError as error:
            if on_bad_image == "error":
                raise
            bad.append(error)
            continue
        yield Encoded(content, name, _ENDINGS.get(kind, kind.lower()), label)


def _content(images: Images, row: int) -> bytes:
    """The bytes of an image as it is stored; raises ``BadImageError`` if there are none."""
    try:
        if isinstance(images, FileImages):
            return images.paths[row].read_bytes()
        if isinstance(images, EncodedImages):
            content = images.read(row)
            return content if isinstance(content, bytes) else content.read() if content else b""
    except UnreachableError:
        raise
    except (OSError, ValueError) as error:
        raise BadImageError(images.names[row], f"cannot be read ({error})") from None
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(images.open(row))).save(buffer, "png")
    return buffer.getvalue()


def _in_shards(images: Iterator[Encoded], most: int) -> Iterator[Iterator[Encoded]]:
    """Cut the images where ``most`` bytes are reached; each part has to be used up before the next."""
    for first in images:

        def shard(image: Encoded = first) -> Iterator[Encoded]:
            size = len(image.content)
            yield image
            while size < most and (following := next(images, None)) is not None:
                size += len(following.content)
                yield following

        yield shard()


def _write(images: Iterator[Encoded], kind: ShardKind, stem: Path, classes: Sequence[str]) -> tuple[Path, int]:
    """Write a shard; return its file and the number of images in it."""
    file = stem.with_name(stem.name + SHARDS[kind])
    writer: Writer = _ParquetShard(file, classes) if kind == "parquet" else _TarShard(file)
    count = 0
    try:
        for image in images:
            writer.add(image)
            count += 1
    finally:
        writer.close()
    return file, count


class _ParquetShard:
    """In the hub's layout, with the names of the classes."""

    def __init__(self, file: Path, classes: Sequence[str]) -> None:
        features = {"image": {"_type": "Image"}, "label": {"names": list(classes), "_type": "ClassLabel"}}
        self._schema = _TABLE.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        self._writer = pq.ParquetWriter(file, self._schema, compression="none")  # the images are compressed already
        self._rows: list[Encoded] = []

    def add(self, image: Encoded) -> None:
        """Append an image."""
        self._rows.append(image)
        if len(self._rows) == _ROWS:
            self._flush()

    def close(self) -> None:
        """Write the last group of rows, and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        images = [{"bytes": one.content, "path": one.name} for one in self._rows]
        table = pa.table({"image": images, "label": [one.label for one in self._rows]}, self._schema)
        if self._rows:
            self._writer.write_table(table)
        self._rows.clear()


class _TarShard:
    """In webdataset's layout: an image and a ``.cls`` file for each sample."""

    def __init__(self, file: Path) -> None:
        self._archive = tarfile.open(file, "w")  # noqa: SIM115 - closed by ``close``
        self._keys: set[str] = set()

    def add(self, image: Encoded) -> None:
        """Append an image under its name; its ending and other dots would be taken for the files' kinds."""
        path = PurePosixPath(image.name)
        key = str(path.parent / path.stem.replace(".", "_")).lstrip("/")
        if key in self._keys:
            key = f"{key}-{len(self._keys):06d}"
        self._keys.add(key)
        self._put(f"{key}.{image.ending}", image.content)
        self._put(f"{key}.cls", str(image.label).encode())

    def close(self) -> None:
        """Write the end of the file."""
        self._archive.close()

    def _put(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)  # without time and owner, so that equal sets give equal files
        member.size = len(content)
        self._archive.addfile(member, io.BytesIO(content))
