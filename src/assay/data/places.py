"""Where a set in shards lies: a local path, or an address such as ``s3://bucket/folder``, which fsspec reads.

An address is universal_pathlib's ``UPath``. Its file system is asked for anew at each call: fsspec keeps one for each
process, and one that was opened before a fork must not be used after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.base.text import shorten
from assay.data.walk import visible_files

if TYPE_CHECKING:
    from upath import UPath

Place: TypeAlias = "Path | UPath"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_VERSIONS = (("etag", "md5hash", "contentmd5", "checksum"), ("generation", "lastmodified", "mtime", "created"))
"""what file systems call the state of a file: of its content, or else of its writing"""


class UnreachableError(OSError):
    """An address that cannot be read now, whatever lies there. The message is one line that begins with it."""


def is_address(text: str) -> bool:
    """Whether it begins with a protocol, as ``s3://`` does."""
    return _ADDRESS.match(text) is not None


def place_at(text: str) -> Place:
    """The local path, with ``~`` replaced, or the address; what was known of an address is looked up anew.

    Raises:
        ValueError: an unknown protocol, or a package that is not installed.
    """
    if not is_address(text):
        return Path(text).expanduser()
    try:
        from upath import UPath
    except ImportError:
        raise ValueError(f"{text}: universal-pathlib is not installed: pip install 'assay[remote]'") from None
    try:
        place = UPath(text)
        _system(place).invalidate_cache()
    except (ImportError, ValueError) as error:  # fsspec says which package the protocol needs
        raise ValueError(f"{text}: {shorten(' '.join(str(error).split()), 200)}") from None
    return place


def is_file(place: Place) -> bool:
    """Whether a file is there; raises ``UnreachableError``."""
    if isinstance(place, Path):
        return place.is_file()
    with _reaching(place):  # fsspec's isfile would say no where access is refused
        try:
            return bool(_system(place).info(place.path)["type"] == "file")
        except FileNotFoundError:
            return False


def is_folder(place: Place) -> bool:
    """Whether a folder is there; raises ``UnreachableError``."""
    if isinstance(place, Path):
        return place.is_dir()
    with _reaching(place):
        return bool(_system(place).isdir(place.path))


def files_below(folder: Place) -> list[Place]:
    """Every visible file below a folder, in the order of ``visible_files``.

    Raises:
        ValueError: a local folder cannot be read.
        UnreachableError: an address cannot.
    """
    if isinstance(folder, Path):
        return list(visible_files(folder))
    with _reaching(folder):
        found = [_beside(folder, name) for name in _system(folder).find(folder.path)]
    parts = [(parts_below(file, folder), file) for file in found]
    return [file for names, file in sorted(parts) if not any(name.startswith(".") for name in names)]


def parts_below(file: Place, folder: Place) -> Sequence[str]:
    """The names of the folders that lead from a folder to a file in it, and the file's."""
    return file.relative_to(str(folder)).parts


def matching(pattern: Place) -> list[Place]:
    """What a pattern with ``*``, ``?`` or ``[...]`` stands for, sorted; raises ``UnreachableError``."""
    if isinstance(pattern, Path):
        return sorted(Path(pattern.anchor).glob(str(pattern).removeprefix(pattern.anchor)))
    with _reaching(pattern):
        return [_beside(pattern, name) for name in sorted(_system(pattern).glob(pattern.path))]


def size_of(place: Place) -> int:
    """The bytes of a file; raises ``OSError`` if it is gone, or if a server does not tell."""
    if isinstance(place, Path):
        return place.stat().st_size
    size = _about(place).get("size")
    if size is None:
        raise UnreachableError(f"{place}: the server does not tell its size")
    return int(size)


def version_of(place: UPath) -> str | None:
    """The size and the state of what lies at an address; None if nothing tells one state from another."""
    about = {re.sub("[^a-z0-9]", "", name.lower()): value for name, value in _about(place).items()}
    for names in _VERSIONS:
        told = [f"{name} {about[name]}" for name in names if about.get(name)]
        if told:
            return "|".join([f"size {about.get('size')}", *told])
    return None


def read_range(place: UPath, start: int, size: int) -> bytes:
    """The ``size`` bytes of a file from ``start`` on, in one request; raises ``UnreachableError`` for fewer or more."""
    if not size:
        return b""
    with _reaching(place):
        content: bytes = _system(place).cat_file(place.path, start=start, end=start + size)  # s3fs has another order
    if len(content) != size:  # the file has changed, or the server does not know ranges and sends all of it
        raise UnreachableError(f"{place}: gave {len(content):,} bytes in place of {size:,} from {start:,} on")
    return content


def _about(place: UPath) -> dict[str, Any]:
    with _reaching(place):
        return dict(_system(place).info(place.path))


def _system(place: UPath) -> Any:
    from fsspec import filesystem

    return filesystem(place.protocol, **place.storage_options)


def _beside(place: UPath, name: str) -> UPath:
    """Another address of the same file system, by the name that this one gives."""
    address: UPath = type(place)(_system(place).unstrip_protocol(name), **place.storage_options)
    return address


@contextmanager
def _reaching(place: UPath) -> Iterator[None]:
    """Whatever a file system raises, each its own kinds, becomes an ``UnreachableError`` that names the address."""
    try:
        yield
    except FileNotFoundError:
        raise UnreachableError(f"{place}: no such file or folder") from None
    except Exception as error:
        reason = shorten(" ".join(str(error).split()), 200)
        raise UnreachableError(f"{place}: cannot be read ({type(error).__name__}: {reason})") from None
