"""Batches are the same for the same seed, epoch and step, whatever came before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torchvision.transforms import v2

from assay.base.ranks import Ranks
from assay.data.augment.build import build_augmentations
from assay.data.augment.draw import Draw
from assay.data.augment.strengths import Strengths
from assay.data.batches import EvaluationBatches, TrainBatches, derived_seed
from assay.data.dataset import MemoryDataset, StreamedDataset
from assay.data.folder import read_folder
from assay.data.preprocess import Normalize, Preprocessing
from assay.data.split import Split
from ranks_in_threads import in_threads

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
COUNT = 50
PLAIN = Normalize(Preprocessing(1, 4, 4, (0.0,), (1 / 255,)), CPU, torch.contiguous_format)


def numbered() -> MemoryDataset:
    """The pixels of image ``n`` are ``n``, and its label is ``100 + n``."""
    pixels = torch.arange(COUNT, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 4, 4)
    return MemoryDataset(pixels, torch.arange(COUNT) + 100, [str(row) for row in range(COUNT)])


def noise() -> MemoryDataset:
    pixels = torch.randint(0, 256, (COUNT, 1, 4, 4), generator=torch.Generator().manual_seed(0)).byte()
    return MemoryDataset(pixels, torch.arange(COUNT), [str(row) for row in range(COUNT)])


def batches(dataset: MemoryDataset, seed: int = 0, size: int = 8) -> TrainBatches:
    augmentations = build_augmentations(Strengths(crop=1, flip=0.5))
    return TrainBatches(dataset, size, PLAIN, augmentations=augmentations, seed=seed)


def epoch(seed: int, number: int, start: int = 0) -> list[tuple[Tensor, Tensor]]:
    return list(batches(noise(), seed).epoch(number, start))


def same(first: list[tuple[Tensor, Tensor]], second: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) for left, right in pairs for a, b in zip(left, right, strict=True))


def test_batches_that_are_made_ahead_are_the_same() -> None:
    changes = build_augmentations(Strengths(crop=1, flip=0.5))
    now, ahead = (
        TrainBatches(noise(), 8, PLAIN, augmentations=changes, seed=3, ahead=is_on) for is_on in (False, True)
    )
    for number, start in ((0, 0), (1, 4), (0, 2)):
        assert same(list(now.epoch(number, start)), list(ahead.epoch(number, start)))


def order(seed: int, number: int, size: int = 8) -> list[int]:
    return torch.cat([labels for _, labels in batches(noise(), seed, size).epoch(number)]).tolist()


def test_same_seed_and_epoch_same_bits() -> None:
    assert same(epoch(3, 5), epoch(3, 5))


def test_an_epoch_does_not_depend_on_those_before() -> None:
    made = batches(noise(), 3)
    for number in (0, 1):
        list(made.epoch(number))
    assert same(list(made.epoch(2)), epoch(3, 2))


@pytest.mark.parametrize("start", [0, 1, 4, 6])
def test_starting_at_a_step_gives_the_tail(start: int) -> None:
    tail = epoch(3, 5, start)
    assert len(tail) == 6 - start
    assert same(tail, epoch(3, 5)[start:])


def test_what_the_consumer_draws_changes_nothing() -> None:
    taken = []
    for batch in batches(noise(), 3).epoch(5):
        taken.append(batch)
        torch.rand(7)
    assert same(taken, epoch(3, 5))


def test_global_random_state_is_not_touched() -> None:
    before = torch.random.get_rng_state()
    epoch(0, 0)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("other", [(3, 6), (4, 5), (5, 3), (3 + 2**32, 5)])
def test_other_seeds_and_epochs_have_another_order(other: tuple[int, int]) -> None:
    assert order(3, 5) != order(*other)


def test_augmentation_differs_by_epoch_and_step() -> None:
    """The draws for the first image of each batch: 9 offsets and 2 directions, so some repeat."""
    picture = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4).repeat(COUNT, 1, 1, 1)
    made = batches(MemoryDataset(picture, torch.zeros(COUNT).long(), ["x"] * COUNT))
    whole = [images.flatten().tolist() for number in range(3) for images, _ in made.epoch(number)]
    assert len({tuple(pixels) for pixels in whole}) == len(whole) == 18


@pytest.mark.parametrize("size", [1, 8, 25, 50])
def test_an_epoch_repeats_no_image_and_fills_its_batches(size: int) -> None:
    for number in range(3):
        rows = order(0, number, size)
        assert len(set(rows)) == len(rows) == COUNT // size * size
        assert set(rows) <= set(range(COUNT))
    assert len(batches(noise(), 0, size)) == COUNT // size


def test_each_epoch_leaves_out_others() -> None:
    left = [frozenset(range(COUNT)) - set(order(0, number)) for number in range(4)]
    assert all(len(rows) == 2 for rows in left)
    assert len(set(left)) > 1


def test_every_image_is_as_likely_first() -> None:
    first = [order(seed, 0, COUNT)[0] for seed in range(500)]
    assert np.bincount(first, minlength=COUNT).max() < 30  # 10 are expected


def test_labels_belong_to_their_images() -> None:
    made = TrainBatches(numbered(), 8, PLAIN, seed=1)
    for images, labels in made.epoch(0):
        assert_close(images[:, 0, 2, 3], labels.float() - 100)
        assert labels.dtype == torch.int64


def test_augmentations_work_on_pixels_in_order() -> None:
    """Adding before halving differs from halving before adding; both see whole numbers."""
    seen: list[torch.dtype] = []

    def add(pixels: Tensor, _: Draw) -> Tensor:
        seen.append(pixels.dtype)
        return pixels + 10

    def halve(pixels: Tensor, _: Draw) -> Tensor:
        return pixels // 2

    made = TrainBatches(numbered(), 8, PLAIN, augmentations=[add, halve])
    for images, labels in made.epoch(0):
        assert_close(images[:, 0, 0, 0], ((labels - 100 + 10) // 2).float())
    assert set(seen) == {torch.uint8}


def test_batch_that_is_larger_than_the_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^train\.batch_size: 51 is more than the 50 training images$"):
        batches(noise(), size=51)


def test_streamed_and_in_memory_train_on_the_same_bits(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    split = read_folder(make_folder(tmp_path, {"a": 6, "b": 5}, channels=1, side=4)).splits["train"]
    labels = torch.from_numpy(split.labels)
    pixels = np.stack([np.asarray(split.images.open(row)) for row in range(11)])[:, None]
    stream = StreamedDataset(split.images, labels, Preprocessing(1, 4, 4), CPU, 0)
    memory = MemoryDataset(torch.from_numpy(pixels), labels, split.images.names)
    made = [
        list(TrainBatches(data, 4, PLAIN, augmentations=build_augmentations(Strengths(crop=1)), seed=2).epoch(1, 1))
        for data in (stream, memory)
    ]
    assert len(made[0]) == 1
    assert same(made[0], made[1])


def test_order_and_draws_are_those_of_the_formula() -> None:
    """The second step of the third epoch, made by hand."""
    images, labels = next(batches(noise(), 3, 8).epoch(2, 1))
    rows = torch.randperm(COUNT, generator=torch.Generator().manual_seed(derived_seed(3, 2)))[8:16]
    draw = Draw(torch.Generator().manual_seed(derived_seed(3, 2, 1)), 2, rows)
    pixels = noise().images[rows]
    for augment in build_augmentations(Strengths(crop=1, flip=0.5)):
        pixels = augment(pixels, draw)
    assert torch.equal(labels, rows)
    assert torch.equal(images, PLAIN(pixels))


def test_augmentations_know_the_epoch_and_the_rows() -> None:
    seen: list[Draw] = []

    def look(pixels: Tensor, draw: Draw) -> Tensor:
        seen.append(draw)
        return pixels

    taken = list(TrainBatches(numbered(), 8, PLAIN, augmentations=[look]).epoch(4))
    assert [draw.epoch for draw in seen] == [4] * 6
    assert all(torch.equal(draw.rows + 100, labels) for draw, (_, labels) in zip(seen, taken, strict=True))


RANDOM = v2.Compose([v2.RandomResizedCrop(6, scale=(0.2, 1.0)), v2.RandomHorizontalFlip(), v2.PILToTensor()])
DARK = Normalize(Preprocessing(3, 6, 6, (0.0,) * 3, (1.0,) * 3), CPU, torch.contiguous_format)


@pytest.fixture
def photos(tmp_path: Path, make_folder: Callable[..., Path]) -> Split:
    """Eleven pictures of 12x12 pixels."""
    return read_folder(make_folder(tmp_path, {"a": 6, "b": 5}, side=12)).splits["train"]


def transformed(photos: Split, workers: int = 0) -> StreamedDataset:
    labels = torch.from_numpy(photos.labels)
    return StreamedDataset(photos.images, labels, Preprocessing(3, 6, 6), CPU, workers).with_transform(RANDOM)


def untransformed(photos: Split) -> StreamedDataset:
    return replace(transformed(photos), transform=None)


AS_DECODED = Normalize(Preprocessing(3, 6, 6, (0.0,) * 3, (1.0,) * 3), CPU, torch.contiguous_format, enlarge=False)


def to_any_side(photos: Split) -> StreamedDataset:
    return transformed(photos).with_transform(
        RANDOM, lambda side: v2.Compose([v2.RandomResizedCrop(side), v2.PILToTensor()])
    )


def train_on(photos: Split, number: int = 1, start: int = 0, *, workers: int = 0, seed: int = 2) -> list:
    return list(TrainBatches(transformed(photos, workers), 2, DARK, seed=seed).epoch(number, start))


@pytest.mark.parametrize("workers", [1, 2])
def test_transformed_batches_do_not_depend_on_the_workers(photos: Split, workers: int) -> None:
    assert same(train_on(photos, workers=workers), train_on(photos))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("start", [1, 4, 5])
def test_transformed_epoch_goes_on_exactly(photos: Split, start: int, workers: int) -> None:
    tail = train_on(photos, start=start, workers=workers)
    assert len(tail) == 5 - start
    assert same(tail, train_on(photos)[start:])


def test_each_epoch_has_its_side(photos: Split) -> None:
    """A stream makes its images of it, and larger ones are scaled down."""
    sides = [6, 3, 5]
    for dataset, how in ((to_any_side(photos), AS_DECODED), (transformed(photos), DARK)):
        made = TrainBatches(dataset, 2, how, side_of=lambda epoch: sides[epoch])
        assert [{images.shape[2:] for images, _ in made.epoch(number)} for number in range(3)] == [
            {(side, side)} for side in sides
        ]


def test_each_step_and_epoch_transforms_anew(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    """One picture that stands in the set six times looks different each time."""
    split = read_folder(make_folder(tmp_path, {"a": 1, "b": 1}, side=12)).splits["train"]
    same_picture = Split(split.take(np.zeros(6, dtype=np.int64)).images, np.zeros(6, dtype=np.int64))
    epochs = [train_on(same_picture, number, seed=seed) for number, seed in [(0, 0), (1, 0), (0, 1)]]
    seen = [tuple(image.flatten().tolist()) for epoch in epochs for images, _ in epoch for image in images]
    assert len(set(seen)) == len(seen) == 18


def test_what_the_consumer_draws_does_not_change_transformed_batches(photos: Split) -> None:
    taken = []
    torch.manual_seed(0)
    for batch in TrainBatches(transformed(photos), 2, DARK, seed=2).epoch(1):
        taken.append(batch)
        torch.rand(7)
    assert same(taken, train_on(photos))


def swap(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    share = torch.rand((), generator=generator)
    return images.lerp(images.flip(0), share), targets.lerp(targets.flip(0), share)


def test_mix_gets_normalised_images_and_soft_targets() -> None:
    dataset = MemoryDataset(numbered().images, torch.arange(COUNT) % 10, numbered().names)
    plain = TrainBatches(dataset, 8, PLAIN, seed=1)
    mixed = TrainBatches(dataset, 8, PLAIN, seed=1, mix=swap, classes=10)
    shares = set()
    for step, ((images, labels), (blend, targets)) in enumerate(zip(plain.epoch(3), mixed.epoch(3), strict=True)):
        share = torch.rand((), generator=torch.Generator().manual_seed(derived_seed(1, 3, step)))
        assert_close(blend, images * (1 - share) + images.flip(0) * share)
        assert (targets.shape, targets.dtype) == ((8, 10), torch.float32)
        hard = torch.eye(10)[labels]
        assert_close(targets, hard * (1 - share) + hard.flip(0) * share)
        shares.add(share.item())
    assert len(shares) == 6


def test_mixed_epoch_goes_on_exactly() -> None:
    made = [TrainBatches(noise(), 8, PLAIN, seed=1, mix=swap, classes=COUNT) for _ in range(2)]
    assert same(list(made[0].epoch(2))[3:], list(made[1].epoch(2, 3)))


@pytest.mark.parametrize("size", [8, 50, 64])
def test_evaluation_sees_every_image_once_in_order(size: int) -> None:
    made = EvaluationBatches(numbered(), size, PLAIN)
    for _ in range(2):
        taken = list(made)
        assert len(taken) == len(made) == -(-COUNT // size)
        assert torch.cat([labels for _, labels in taken]).tolist() == list(range(100, 100 + COUNT))
        assert_close(torch.cat([images[:, 0, 1, 1] for images, _ in taken]), torch.arange(COUNT).float())


def test_augmented_evaluation_has_one_draw_for_each_image() -> None:
    augmentations = build_augmentations(Strengths(crop=1, flip=0.5))
    plain = list(EvaluationBatches(noise(), 8, PLAIN))
    made = EvaluationBatches(noise(), 8, PLAIN, augmentations=augmentations, seed=4)
    first, again = list(made), list(made)
    other = list(EvaluationBatches(noise(), 8, PLAIN, augmentations=augmentations, seed=5))
    assert same(first, again)
    assert not same(first, other)
    assert not same(first, plain)
    assert torch.cat([labels for _, labels in first]).tolist() == list(range(COUNT))
    draw = Draw(torch.Generator().manual_seed(derived_seed(4, 6)), 0, torch.tensor([48, 49]))
    pixels = noise().images[48:]
    for augment in augmentations:
        pixels = augment(pixels, draw)
    assert torch.equal(first[-1][0], PLAIN(pixels))


def test_augmented_evaluation_is_of_epoch_0_and_of_its_rows() -> None:
    seen: list[Draw] = []

    def look(pixels: Tensor, draw: Draw) -> Tensor:
        seen.append(draw)
        return pixels

    list(EvaluationBatches(noise(), 32, PLAIN, augmentations=[look], seed=0))
    assert [draw.epoch for draw in seen] == [0, 0]
    assert torch.cat([draw.rows for draw in seen]).tolist() == list(range(COUNT))


def test_evaluation_of_a_stream_is_transformed_only_with_a_seed(photos: Split) -> None:
    dataset = transformed(photos)
    plain = list(EvaluationBatches(untransformed(photos), 4, DARK))
    assert same(list(EvaluationBatches(dataset, 4, DARK)), plain)
    first, again = (list(EvaluationBatches(dataset, 4, DARK, seed=1)) for _ in range(2))
    assert same(first, again)
    assert not same(first, plain)


def test_seeds_of_all_places_differ() -> None:
    seeds = (0, 1, 2, 7, 2**32, 2**32 + 1, 2**63 - 1)
    places = [(), *product(range(8)), *product(range(8), range(8))]
    mixed = [derived_seed(seed, *place) for seed, place in product(seeds, places)]
    assert len(set(mixed)) == len(mixed)
    assert all(0 <= number < 2**63 for number in mixed)
    assert all(derived_seed(3, *place) == derived_seed(3, *place) for place in places)


def shared_epoch(
    size: int, make: Callable[..., TrainBatches], parts: int = 1, *, sends: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """An epoch's batches, put together again from the shares of so many ranks, which may send each other pixels."""

    def epoch(ranks: Ranks) -> list[tuple[Tensor, Tensor]]:
        return list(make(ranks=ranks, parts=parts).epoch(1))

    # One after the other if they can: a transform draws from the one generator that all threads share.
    shares = in_threads(size, epoch) if sends else [epoch(Ranks(rank, size)) for rank in range(size)]
    assert all(len(images) < 8 for images, _ in shares[0])
    whole = []
    for step in zip(*shares, strict=True):
        pieces = [[values.chunk(parts) for values in share] for share in step]
        images, labels = (
            torch.cat([piece[kind][part] for part in range(parts) for piece in pieces]) for kind in (0, 1)
        )
        whole.append((images, labels))
    return whole


@pytest.mark.parametrize(
    "kind", ["plain", "small", "augmented", "mixed", "streamed", "streamed small", "streamed mixed"]
)
@pytest.mark.parametrize(("size", "parts"), [(2, 1), (3, 1), (3, 2)])
def test_shares_make_up_the_batches_of_one_process(photos: Split, kind: str, size: int, parts: int) -> None:
    crops = build_augmentations(Strengths(crop=1, flip=0.5))
    options = {
        "plain": partial(TrainBatches, noise(), 8, PLAIN),
        "small": partial(TrainBatches, noise(), 8, PLAIN, augmentations=crops, side_of=lambda epoch: 2 + epoch),
        "augmented": partial(TrainBatches, noise(), 8, PLAIN, augmentations=crops),
        "mixed": partial(TrainBatches, noise(), 8, PLAIN, mix=swap, classes=COUNT),
        "streamed": partial(TrainBatches, transformed(photos), 8, DARK, seed=2),
        "streamed small": partial(
            TrainBatches, to_any_side(photos), 8, AS_DECODED, seed=2, side_of=lambda epoch: 3 + epoch
        ),
        "streamed mixed": partial(TrainBatches, untransformed(photos), 8, DARK, mix=swap, classes=2),
    }
    make = options[kind]
    assert same(shared_epoch(size, make, parts, sends=kind == "streamed mixed"), list(make().epoch(1)))


def test_each_process_decodes_its_share_of_mixed_images(photos: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, read = [], StreamedDataset.read

    def note(dataset: StreamedDataset, batches: list[Tensor], *options: Any) -> Iterator[Tensor]:
        asked.append([len(batch) for batch in batches])
        return read(dataset, batches, *options)

    monkeypatch.setattr(StreamedDataset, "read", note)
    shared_epoch(2, partial(TrainBatches, untransformed(photos), 5, DARK, mix=swap, classes=2), sends=True)
    assert sorted(asked) == [[2, 2], [3, 3]]


@pytest.mark.parametrize("kind", ["plain", "augmented", "streamed"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_shared_evaluation_counts_each_image_once(photos: Split, kind: str, size: int) -> None:
    """The last batch has 2 images (of photos 3), which 3 ranks do not fill."""
    crops = build_augmentations(Strengths(crop=1, flip=0.5))
    make = {
        "plain": partial(EvaluationBatches, noise(), 8, PLAIN),
        "augmented": partial(EvaluationBatches, noise(), 8, PLAIN, augmentations=crops, seed=4),
        "streamed": partial(EvaluationBatches, transformed(photos), 4, DARK, seed=4),
    }[kind]
    whole = torch.cat([images for images, _ in make()]).flatten(1)

    shares = [list(make(ranks=Ranks(rank, size))) for rank in range(size)]
    assert all(len(images) for own in shares for images, _ in own)
    own = [torch.cat([images for images, _ in share]).flatten(1) for share in shares]
    for found in in_threads(size, lambda ranks: make(ranks=ranks).gather(own[ranks.rank])):
        assert torch.equal(found, whole)
