"""What is kept is found again; what cannot be kept, or is damaged, is made again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from assay.data.cache import FINGERPRINTS, Arrays, cache_folder, cached
from assay.data.choices import CacheUse
from assay.data.images import ArrayImages, ChainedImages, EncodedImages, FileImages, Images
from assay.data.split import SomeImages


class Maker:
    """Counts how often it is asked for its arrays."""

    def __init__(self, value: int = 1) -> None:
        self.calls = 0
        self.arrays = {"x": np.full((2, 3), value, dtype=np.uint8), "y": np.zeros((0, 4))}

    def __call__(self) -> Arrays:
        self.calls += 1
        return self.arrays


def same(first: Arrays, second: Arrays) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) and first[name].dtype == second[name].dtype for name in first
    )


def only_file(cache: Path) -> Path:
    (file,) = [path for path in cache.rglob("*") if path.is_file()]
    return file


def test_second_time_is_read() -> None:
    make = Maker()
    assert same(cached("key", make), make.arrays)
    assert same(cached("key", make), make.arrays)
    assert make.calls == 1


def test_other_key_is_other_content() -> None:
    cached("key", Maker(1))
    other = Maker(2)
    assert same(cached("yek", other), other.arrays)


def test_no_key_keeps_nothing(cache: Path) -> None:
    make = Maker()
    cached(None, make)
    cached(None, make)
    assert make.calls == 2
    assert not cache.exists()


def test_a_refused_result_is_not_kept(cache: Path) -> None:
    make = Maker()
    for _ in range(2):
        assert same(cached("key", make, keep=lambda _: False), make.arrays)
    assert make.calls == 2
    assert not cache.exists()


@pytest.mark.parametrize("part", [0, 5, 40, -1], ids=["empty", "in the length", "in the header", "in the data"])
def test_cut_off_file_is_made_again(cache: Path, part: int) -> None:
    cached("key", Maker(1))
    file = only_file(cache)
    file.write_bytes(file.read_bytes()[:part])
    make = Maker(2)
    assert same(cached("key", make), make.arrays)
    assert same(cached("key", make), make.arrays)
    assert make.calls == 1


def test_noise_is_made_again(cache: Path) -> None:
    cached("key", Maker(1))
    only_file(cache).write_bytes(os.urandom(200))
    make = Maker(2)
    assert same(cached("key", make), make.arrays)


def test_arrays_in_any_memory_order_are_kept() -> None:
    turned = np.arange(6, dtype=np.int64).reshape(2, 3).T
    cached("key", lambda: {"x": turned})
    again = cached("key", Maker())
    assert again is not None
    assert np.array_equal(again["x"], turned)


def test_folder_that_cannot_be_made_is_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "file"))
    make = Maker()
    assert same(cached("key", make), make.arrays)
    assert same(cached("key", make), make.arrays)


def test_full_disk_is_harmless(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    make = Maker()
    assert same(cached("key", make), make.arrays)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_error_of_the_maker_is_not_swallowed() -> None:
    def fail() -> Arrays:
        raise OSError("the images are gone")

    with pytest.raises(OSError, match="the images are gone"):
        cached("key", fail)


def two_files(folder: Path) -> FileImages:
    for name in "ab":
        (folder / name).write_text(name)
    return FileImages([folder / "a", folder / "b"], ["a", "b"])


def change(file: Path, content: str) -> None:
    """Write other content of the same length, and set the time back as rsync does."""
    status = file.stat()
    file.write_text(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("use", ["on", "verify"])
def test_other_contents_make_another_key(use: CacheUse, tmp_path: Path) -> None:
    images, key = two_files(tmp_path), FINGERPRINTS[use]
    encoded = EncodedImages(lambda _row: b"", ["0", "1"], images.paths)
    first = key(images, "x"), key(encoded, "x")
    assert first == (key(images, "x"), key(encoded, "x"))
    assert key(images, "y") != first[0]
    assert key(FileImages(images.paths[::-1], ["b", "a"]), "x") != first[0]
    assert key(EncodedImages(lambda _row: b"", ["0", "2"], images.paths), "x") != first[1]
    change(tmp_path / "b", "c")
    second = key(images, "x"), key(encoded, "x")
    assert second[0] != first[0]
    assert second[1] != first[1]
    (tmp_path / "b").unlink()  # as where a link leads nowhere
    assert key(images, "x") not in (first[0], second[0], None)


def test_verified_contents_count_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = two_files(tmp_path / "one"), two_files(tmp_path / "other")
    assert FINGERPRINTS["verify"](one, "x") == FINGERPRINTS["verify"](other, "x")
    assert FINGERPRINTS["on"](one, "x") != FINGERPRINTS["on"](other, "x")


def test_what_costs_nothing_or_is_kept_in_parts_has_no_key(tmp_path: Path) -> None:
    files = two_files(tmp_path)
    arrays = ArrayImages(np.zeros((2, 4, 4), dtype=np.uint8), ["a", "b"])
    others: list[Images] = [arrays, ChainedImages([files]), SomeImages(files, np.arange(1))]
    assert [FINGERPRINTS["on"](images, "x") for images in others] == [None] * 3
    assert FINGERPRINTS["off"](files, "x") is None


def test_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_CACHE", "~/cache")
    assert cache_folder() == tmp_path / "cache"
