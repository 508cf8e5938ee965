"""Decoded images: in memory and streamed, the same bits; their mean and deviation against numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from assay.data import dataset as module
from assay.data.dataset import Dataset, MemoryDataset, StreamedDataset, measure
from assay.data.decode import Transform, decode_all
from assay.data.images import ArrayImages, BadImageError, FileImages
from assay.data.preprocess import Preprocessing
from assay.data.split import Split

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
with_workers = pytest.mark.parametrize("workers", [0, 2])
Damage = Callable[[int], str]
ROWS = [torch.tensor([3, 0, 11]), torch.tensor([7]), torch.tensor([5, 5, 1, 2])]


def streamed(split: Split, *, channels: int = 3, stored: int = 12, workers: int = 0) -> StreamedDataset:
    how = Preprocessing(channels, stored, stored)
    return StreamedDataset(split.images, torch.from_numpy(split.labels), how, CPU, workers)


def in_memory(split: Split, *, channels: int = 3, stored: int = 12) -> MemoryDataset:
    pixels, bad = decode_all(split.images, Preprocessing(channels, stored, stored), 0)
    assert not bad
    return MemoryDataset(torch.from_numpy(pixels), torch.from_numpy(split.labels), split.images.names)


def stacked(dataset: Dataset, rows: list[Tensor]) -> list[Tensor]:
    return [batch.clone() for batch in dataset.read(rows)]


@with_workers
@pytest.mark.parametrize(("channels", "stored"), [(3, 12), (1, 12), (3, 8), (3, 20)])
def test_streamed_and_in_memory_are_the_same_bits(split: Split, workers: int, channels: int, stored: int) -> None:
    stream = streamed(split, channels=channels, stored=stored, workers=workers)
    memory = in_memory(split, channels=channels, stored=stored)
    for first, second, rows in zip(stacked(stream, ROWS), stacked(memory, ROWS), ROWS, strict=True):
        assert torch.equal(first, second)
        assert (first.shape, first.dtype) == ((len(rows), channels, stored, stored), torch.uint8)
    assert list(stream.names) == list(memory.names)
    assert len(stream) == len(memory) == 12


@with_workers
def test_pixels_are_those_of_the_files(split: Split, workers: int, picture: Callable[..., np.ndarray]) -> None:
    for batch, rows in zip(streamed(split, workers=workers).read(ROWS), ROWS, strict=True):
        expected = np.stack([picture(row, 12, 12).transpose(2, 0, 1) for row in rows.tolist()])
        assert np.array_equal(batch.numpy(), expected)


@with_workers
def test_no_batches(split: Split, workers: int) -> None:
    assert stacked(streamed(split, workers=workers), []) == []


@with_workers
def test_reading_leaves_the_global_random_state(split: Split, workers: int) -> None:
    dataset = streamed(split, workers=workers)
    state, legacy = torch.random.get_rng_state(), np.random.get_state()[1].tolist()
    for _ in dataset.read(ROWS):
        assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.random.get_state()[1].tolist() == legacy


@with_workers
def test_bad_image_stops_a_stream_by_name(split: Split, workers: int, damage: Damage) -> None:
    name = damage(7)
    with pytest.raises(BadImageError) as caught:
        stacked(streamed(split, workers=workers), ROWS)
    assert caught.value.name == name


def test_arrays_are_decoded_without_workers(picture: Callable[..., np.ndarray]) -> None:
    pixels = np.stack([picture(row) for row in range(3)])
    split = Split(ArrayImages(pixels, list("abc")), np.zeros(3, dtype=np.int64))
    (batch,) = stacked(streamed(split, stored=8, workers=2), [torch.tensor([2, 0])])
    assert np.array_equal(batch.numpy(), pixels[[2, 0]].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", [streamed, in_memory])
@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_deviation_equal_numpys(split: Split, kind: Callable[..., Dataset], channels: int) -> None:
    pixels, _ = decode_all(split.images, Preprocessing(channels, 12, 12), 0)
    exact = pixels.astype(np.float64) / 255
    mean, std = measure(kind(split, channels=channels), 0)
    np.testing.assert_allclose(mean, exact.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, exact.std((0, 2, 3)), rtol=1e-9)


def test_deviation_of_a_small_spread_is_exact() -> None:
    """One pixel in ten thousand is one level away from the others."""
    pixels = np.full((1, 1, 100, 100), 200, dtype=np.uint8)
    pixels[0, 0, 3, 4] = 201
    (mean,), (std,) = measure(MemoryDataset(torch.from_numpy(pixels), torch.zeros(1).long(), ["a"]), 0)
    assert mean == pytest.approx(200.0001 / 255, rel=1e-12)
    assert std == pytest.approx((1e-4 * (1 - 1e-4)) ** 0.5 / 255, rel=1e-4)


def test_channel_without_change_has_the_deviation_one() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 5), generator=torch.Generator().manual_seed(0)).byte()
    pixels[:, 1] = 77
    mean, std = measure(MemoryDataset(pixels, torch.zeros(4).long(), list("abcd")), 0)
    assert mean[1] == pytest.approx(77 / 255)
    assert std[1] == 1.0
    assert 0.2 < std[0] < 0.4


def test_large_stream_is_measured_by_a_sample(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLE", 3)
    singles = [measure(streamed(split.take(np.array([row]))), 0)[0] for row in range(12)]
    sampled = [measure(streamed(split), seed)[0] for seed in range(4)]
    assert measure(streamed(split), 2)[0] == sampled[2]
    assert len(set(sampled)) > 1
    triples = np.array([np.mean([singles[i], singles[j], singles[k]], axis=0) for i, j, k in all_triples(12)])
    for mean in sampled:
        assert np.abs(triples - mean).max(1).min() < 1e-12


def all_triples(count: int) -> list[tuple[int, int, int]]:
    return [(i, j, k) for i in range(count) for j in range(i) for k in range(j)]


def test_set_in_memory_is_measured_whole(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measure(in_memory(split), 0)
    monkeypatch.setattr(module, "_SAMPLE", 3)
    assert measure(in_memory(split), 0) == whole


RANDOM = v2.Compose([v2.RandomResizedCrop(6), v2.RandomHorizontalFlip(), v2.ColorJitter(0.5), v2.PILToTensor()])
SEEDS = [torch.arange(len(rows)) + seed for rows, seed in zip(ROWS, (5, 2**40, 5), strict=True)]


def transformed(split: Split, transform: Transform, workers: int, **options: int) -> list[Tensor]:
    dataset = streamed(split, workers=workers, **options).with_transform(transform)
    return [batch.clone() for batch in dataset.read(ROWS, SEEDS)]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_transform_sees_the_whole_image_and_draws_from_the_seed(split: Split, workers: int) -> None:
    """Torchvision, called image by image with the seeded global generator, is the oracle."""
    for made, rows, seeds in zip(transformed(split, RANDOM, workers, stored=4), ROWS, SEEDS, strict=True):
        expected = []
        for row, seed in zip(rows.tolist(), seeds.tolist(), strict=True):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                expected.append(RANDOM(split.images.open(row).convert("RGB")))
        assert torch.equal(made, torch.stack(expected))


def test_one_seed_gives_one_draw(split: Split) -> None:
    first, second, other = (
        next(iter(streamed(split).with_transform(RANDOM).read(ROWS[:1], [torch.full_like(ROWS[0], seed)])))
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@with_workers
def test_transforming_leaves_the_global_random_state(split: Split, workers: int) -> None:
    state = torch.random.get_rng_state()
    for _ in streamed(split, workers=workers).with_transform(RANDOM).read(ROWS, SEEDS):
        assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_global_random_state_is_put_back_after_an_error(split: Split) -> None:
    def failing(_: Image.Image) -> Tensor:
        raise RuntimeError(f"after drawing {torch.rand(1).item()}")

    state = torch.random.get_rng_state()
    with pytest.raises(RuntimeError, match="after drawing"):
        transformed(split, failing, 0)
    assert torch.equal(torch.random.get_rng_state(), state)


@with_workers
def test_without_seeds_and_for_the_statistics_nothing_is_transformed(split: Split, workers: int) -> None:
    plain, changed = streamed(split, workers=workers), streamed(split, workers=workers).with_transform(RANDOM)
    for first, second in zip(stacked(plain, ROWS), stacked(changed, ROWS), strict=True):
        assert torch.equal(first, second)
    assert measure(plain, 0) == measure(changed, 0)


@with_workers
def test_seeds_change_nothing_without_a_transform(split: Split, workers: int) -> None:
    for dataset in (streamed(split, workers=workers), in_memory(split)):
        for first, second in zip(dataset.read(ROWS, SEEDS), stacked(dataset, ROWS), strict=True):
            assert torch.equal(first, second)


@with_workers
def test_bad_image_stops_a_transformed_stream_by_name(split: Split, workers: int, damage: Damage) -> None:
    name = damage(7)
    with pytest.raises(BadImageError) as caught:
        transformed(split, RANDOM, workers)
    assert caught.value.name == name


@pytest.mark.parametrize("channels", [1, 3])
def test_transform_gets_upright_images_without_transparency(tmp_path: Path, channels: int) -> None:
    """A tall image, stored on its side, whose lower half is transparent."""
    pixels = np.zeros((4, 2, 4), dtype=np.uint8)
    pixels[:2] = [40, 40, 40, 255]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "a.png", exif=exif)
    seen: list[tuple[str, tuple[int, int]]] = []

    def transform(image: Image.Image) -> Tensor:
        seen.append((image.mode, image.size))
        return v2.functional.pil_to_tensor(image)

    split = Split(FileImages([tmp_path / "a.png"], ["a"]), np.zeros(1, dtype=np.int64))
    dataset = streamed(split, channels=channels, stored=2).with_transform(transform)
    (batch,) = dataset.read([torch.tensor([0])], [torch.tensor([0])])
    assert seen == [({1: "L", 3: "RGB"}[channels], (2, 4))]
    assert batch[0, :, :, 0].tolist() == [[40, 40, 255, 255]] * channels
