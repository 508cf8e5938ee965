"""Unlabelled images to predict for: files, folders, globs, zip and tar archives, Parquet files."""

from __future__ import annotations

import glob
import os
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from assay.base.text import shorten
from assay.data.folder import find_images
from assay.data.images import EXTENSIONS, ChainedImages, EncodedImages, FileImages, Images
from assay.data.parquet import read_unlabelled

LARGEST_MEMBER = 512 * 2**20  # bytes; an archive's member that unpacks to more is refused, not read


def find_inputs(inputs: Sequence[str | Path]) -> ChainedImages:
    """All images that the inputs name, in the order of the inputs, and sorted within each.

    Args:
        inputs: image files, folders (searched to the bottom), glob patterns, ``.zip``, ``.tar``,
            ``.tar.gz``... archives, ``.parquet`` files.

    Raises:
        ValueError: an input names nothing, or holds no image.
    """
    return ChainedImages([part for text in inputs for part in _expand(str(text))])


def _expand(text: str) -> list[Images]:
    path = Path(text).expanduser()
    if not text:
        raise ValueError("an empty text names no image")
    if path.exists():  # first, because a file's name may hold the characters of a pattern
        return [_collect(path)]
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not matches:
        raise ValueError(f"{text}: no such file or folder, and no file matches it as a pattern")
    return [_collect(Path(match)) for match in matches]


def _collect(path: Path) -> Images:
    if path.is_dir():
        files = find_images(path)
        images: Images = FileImages(files, [file.as_posix() for file in files])
    elif path.suffix.lower() == ".parquet":
        images = read_unlabelled(path)
    elif path.suffix.lower() == ".zip" or any(suffix in (".tar", ".tgz") for suffix in path.suffixes[-2:]):
        images = _read_archive(path)
    elif path.is_file():
        images = FileImages([path], [path.as_posix()])
    else:  # opening a pipe would wait for its other end
        raise ValueError(f"{path}: not a file or a folder")
    if not images.names:
        raise ValueError(f"{path}: no image in it")
    return images


def _read_archive(path: Path) -> EncodedImages:
    try:
        with _open_archive(path) as archive:
            if isinstance(archive, zipfile.ZipFile):
                names = [member.filename for member in archive.infolist() if not member.is_dir()]
            else:
                names = [member.name for member in archive if member.isfile()]  # never a link out of the archive
    except Exception as error:  # readers of broken archives raise nearly anything
        raise ValueError(f"{path}: not a readable archive ({shorten(str(error), 200)})") from None
    members = sorted(name for name in names if _is_image(PurePosixPath(name)))
    return EncodedImages(_MemberReader(path, members), [f"{path.as_posix()}/{member}" for member in members], (path,))


def _open_archive(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    return zipfile.ZipFile(path) if path.suffix.lower() == ".zip" else tarfile.open(path)


def _is_image(member: PurePosixPath) -> bool:
    # macOS adds a folder __MACOSX of files that are named as the images are.
    hidden = any(part.startswith((".", "__MACOSX")) for part in member.parts)
    return not hidden and member.suffix.lower() in EXTENSIONS


@dataclass
class _MemberReader:
    """Reads members by number; each process opens the archive itself, as handles cannot be shared."""

    path: Path
    members: Sequence[str]
    _open: dict[int, zipfile.ZipFile | tarfile.TarFile] = field(default_factory=dict, repr=False)

    def __call__(self, index: int) -> bytes:
        process, name = os.getpid(), self.members[index]  # a forked worker inherits the handles of its parent
        if process not in self._open:
            self._open[process] = _open_archive(self.path)
        archive = self._open[process]
        size = archive.getinfo(name).file_size if isinstance(archive, zipfile.ZipFile) else archive.getmember(name).size
        if size > LARGEST_MEMBER:
            raise ValueError(f"unpacks to {size:,} bytes; at most {LARGEST_MEMBER:,} are read")
        file = archive.open(name) if isinstance(archive, zipfile.ZipFile) else archive.extractfile(name)
        assert file is not None  # only regular files are listed
        with file:
            return file.read()

    def __del__(self) -> None:
        for archive in self._open.values():  # a TarFile, unlike a ZipFile, leaves its file open
            archive.close()
