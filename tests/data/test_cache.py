"""What is kept is found again; what cannot be kept, or is damaged, is made again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from assay.data.cache import Arrays, cache_folder, cached


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
    assert not list(cache.iterdir())


def test_a_refused_result_is_not_kept(cache: Path) -> None:
    make = Maker()
    for _ in range(2):
        assert same(cached("key", make, keep=lambda _: False), make.arrays)
    assert make.calls == 2
    assert not list(cache.iterdir())


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


def test_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_CACHE", "~/cache")
    assert cache_folder() == tmp_path / "cache"
