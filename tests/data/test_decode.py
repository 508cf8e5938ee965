"""Decoding: chunks and workers change nothing, and bad images are named in their places."""

from __future__ import annotations

import gc
import multiprocessing
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data import decode as module
from assay.data.decode import decode, decode_all, default_workers, map_in_workers
from assay.data.images import ArrayImages, FileImages
from assay.data.preprocess import Preprocessing
from assay.data.split import Split

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
with_workers = pytest.mark.parametrize("workers", [0, 2])
Damage = Callable[[int], str]


def test_many_chunks_and_workers_give_the_same(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    how = Preprocessing(3, 12, 12)
    whole, _ = decode_all(split.images, how, 0)
    monkeypatch.setattr(module, "DECODE_CHUNK", 2)
    for workers in (0, 2):
        assert np.array_equal(decode_all(split.images, how, workers)[0], whole)


@pytest.mark.parametrize(
    "how",
    [Preprocessing(3, 6, 6), Preprocessing(1, 6, 6), Preprocessing(3, 5, 5), Preprocessing(3, 6, 6, crop_pct=0.75)],
)
@pytest.mark.parametrize("shape", [(7, 6, 6), (7, 6, 6, 3), (7, 6, 4, 3)])
def test_arrays_are_decoded_as_images_of_them(how: Preprocessing, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images = ArrayImages(pixels, [str(row) for row in range(7)])
    batches = [[6, 0, 3], range(2)]
    found = [part for part, errors in decode(images, how, batches, 0) if not errors]
    for rows, part in zip(batches, found, strict=True):
        assert np.array_equal(part, [how.decode(Image.fromarray(pixels[row]), "one") for row in rows])


@with_workers
def test_bad_images_are_collected_and_left_black(
    split: Split, workers: int, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., np.ndarray], damage: Damage
) -> None:
    names = [damage(row) for row in (2, 9)]
    monkeypatch.setattr(module, "DECODE_CHUNK", 4)
    pixels, bad = decode_all(split.images, Preprocessing(3, 12, 12), workers)
    assert [error.name for error in bad] == names
    assert not pixels[[2, 9]].any()
    assert np.array_equal(pixels[3], picture(3, 12, 12).transpose(2, 0, 1))


@with_workers
def test_places_of_bad_images_in_a_batch(split: Split, workers: int, damage: Damage) -> None:
    name = damage(7)
    found = [bad for _, bad in decode(split.images, Preprocessing(3, 12, 12), [[1, 7], [2], [7]], workers)]
    assert [{place: error.name for place, error in bad.items()} for bad in found] == [{1: name}, {}, {0: name}]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs a list of the open files")
def test_bad_files_do_not_stay_open(split: Split, damage: Damage) -> None:
    for row in range(12):
        damage(row)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    _, bad = decode_all(split.images, Preprocessing(3, 12, 12), 0)
    assert len(bad) == 12
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_decoding_does_not_warn_about_what_it_can_read(tmp_path: Path) -> None:
    """Pillow remarks on palettes whose transparency is given in bytes; warnings are errors here."""
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    image.putpalette([1, 2, 3, 4, 5, 6])
    image.save(tmp_path / "a.png", transparency=bytes([255, 0]))
    pixels, bad = decode_all(FileImages([tmp_path / "a.png"], ["a"]), Preprocessing(3, 2, 2), 0)
    assert not bad
    assert pixels.shape == (1, 3, 2, 2)


def test_default_number_of_workers() -> None:
    assert 1 <= default_workers() <= min(8, os.cpu_count() or 1)


def _large(_request: int) -> np.ndarray:
    return np.zeros(10_000_000, dtype=np.uint8)


def _decode_and_die() -> None:
    results = map_in_workers(_large, [0] * 50, 2)
    next(results)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12: it has threads, and is forked
def test_workers_end_with_the_process_that_they_work_for() -> None:
    left, held = os.pipe()  # open for as long as one of the processes lives
    process = multiprocessing.get_context("fork").Process(target=_decode_and_die)
    process.start()
    os.close(held)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert select.select([left], [], [], 30)[0]
    assert os.read(left, 1) == b""
    os.close(left)
