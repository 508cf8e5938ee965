"""Files are whole or absent."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from assay.base.atomic import made, replace_file, replace_files


def test_bytes_and_text(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == b"\x00\xff"
    replace_file(tmp_path / "a", "naïve\nlines\n")
    assert (tmp_path / "a").read_bytes() == "naïve\nlines\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_mask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        replace_file(tmp_path / "a", "text")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


class FailureError(OSError):
    """What the disk says."""


@pytest.mark.parametrize("error", [FailureError, KeyboardInterrupt])
@pytest.mark.parametrize("place", [(os, "fsync"), (Path, "chmod"), (Path, "replace")], ids=["sync", "chmod", "rename"])
def test_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, place: tuple[object, str], error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old")

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        with pytest.raises(error):
            replace_file(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_content_is_on_disk_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")
    seen = []

    def look(handle: int) -> None:
        seen.append((os.fstat(handle).st_size, (tmp_path / "a").read_text()))

    monkeypatch.setattr(os, "fsync", look)
    replace_file(tmp_path / "a", "newer")
    assert seen == [(5, "old")]
    assert (tmp_path / "a").read_text() == "newer"


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "nowhere" / "a", "text")


def test_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "a", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_several_files_are_replaced_together(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deep"
    replace_files(folder, {"a": "text", "b": b"\xff"})
    assert [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())] == [("a", b"text"), ("b", b"\xff")]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_full_disk_replaces_none_of_several_files(
    tmp_path: Path, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "deep"
    if not is_new:
        replace_files(folder, {"a": "old"})
    written = []

    def full_at_the_second(handle: int) -> None:
        written.append(handle)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OSError, match="No space left on device") as caught:
        replace_files(folder, {"a": "new", "b": "new"})
    assert caught.value.filename == str(folder / "b")
    found = {path.name for path in tmp_path.rglob("*")}
    assert found == (set() if is_new else {"new", "deep", "a"})
    assert is_new or (folder / "a").read_text() == "old"


def test_a_folder_is_unmade_where_nothing_was_written_into_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there" / "a" / "b", tmp_path / "there"):
        with pytest.raises(FileNotFoundError), made(folder):
            (folder / "nowhere" / "file").write_text("text")
    with pytest.raises(FileExistsError), made(tmp_path / "c" / "d"):
        (tmp_path / "c" / "file").touch(exist_ok=bool((tmp_path / "c" / "file").write_text("")))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["c", "c/file", "there"]
