"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a kill at any moment, finds the old content or the new, whole.

    Raises:
        OSError: the folder is missing or the disk is full; the old file is then untouched.
    """
    with _written(path, content) as temporary, naming(path):
        temporary.replace(path)


def replace_files(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Write several files of a folder, which is made where it is missing; each as ``replace_file`` does.

    Raises:
        OSError: the disk is full. No file is replaced then, and no folder is left that was made for them.
    """
    with made(folder), contextlib.ExitStack() as all_written:
        ready = [(all_written.enter_context(_written(folder / name, text)), name) for name, text in contents.items()]
        for temporary, name in ready:
            with naming(folder / name):
                temporary.replace(folder / name)


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it for what the block writes; if it fails, remove those that are empty again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in missing:
            with contextlib.suppress(OSError):  # it holds something, or was not made
                path.rmdir()
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to, a part at a time, that takes the place of ``path`` when the block ends without error.

    Raises:
        OSError: the folder is missing or the disk is full; the old file is then untouched.
    """
    with _temporary(path) as (file, temporary), naming(path):
        yield file
        _make_safe(file, temporary)
        temporary.replace(path)


@contextmanager
def _written(path: Path, content: bytes | str) -> Iterator[Path]:
    """Write a temporary file beside ``path``, safe on the disk; it is removed unless the block has moved it."""
    with _temporary(path) as (file, temporary):
        with naming(path):
            file.write(content.encode() if isinstance(content, str) else content)
            _make_safe(file, temporary)
        yield temporary


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Make a file beside ``path``; it is removed unless the block has moved it."""
    with naming(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _make_safe(file: BinaryIO, temporary: Path) -> None:
    """Write all of a temporary file to the disk, before the rename, which might otherwise reach it first."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    temporary.chmod(0o666 & ~_umask())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error name the file: a full disk names none, or the temporary one."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
