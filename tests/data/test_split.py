"""The seeded, stratified cut, and selections of images."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.data.images import ArrayImages
from assay.data.split import Cut, SomeImages, Source, Split, cut_splits, relabel, stratified_split


def labels_of(counts: Sequence[int]) -> np.ndarray:
    """That many of each class, shuffled."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def split_of(counts: Sequence[int]) -> Split:
    labels = labels_of(counts)
    pixels = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1).repeat(4, 1).repeat(4, 2)
    return Split(ArrayImages(pixels, [f"row{row}" for row in range(len(labels))]), labels)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=8), st.floats(0.05, 0.6), st.integers(0, 2**40))
def test_every_class_keeps_its_share_to_one_image(counts: list[int], fraction: float, seed: int) -> None:
    labels = labels_of(counts)
    size = ceil(fraction * len(labels))
    assume(len(counts) <= size <= len(labels) - len(counts))
    first, second = stratified_split(labels, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(len(labels)))
    assert np.all(np.diff(first) > 0)
    assert np.all(np.diff(second) > 0)
    assert len(second) == size
    for count, taken in zip(counts, np.bincount(labels[second], minlength=len(counts)), strict=True):
        share = count * size / len(labels)
        assert floor(share - 1e-9) <= taken <= ceil(share + 1e-9)


def test_equal_classes_are_cut_equally() -> None:
    labels = labels_of([50] * 10)
    first, second = stratified_split(labels, 0.1, 3)
    assert np.bincount(labels[first]).tolist() == [45] * 10
    assert np.bincount(labels[second]).tolist() == [5] * 10


def test_seed_decides() -> None:
    labels = labels_of([100, 100])
    first, again, other = (stratified_split(labels, 0.2, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_seed_beyond_32_bits_is_taken() -> None:
    assert len(stratified_split(labels_of([10, 10]), 0.5, 2**63)[0]) == 10


def test_fraction_zero_takes_nothing() -> None:
    first, second = stratified_split(labels_of([3, 1]), 0.0, 0)
    assert first.tolist() == [0, 1, 2, 3]
    assert second.tolist() == []


@pytest.mark.parametrize(
    ("counts", "fraction"),
    [([10, 1], 0.2), ([10] * 20, 0.05), ([10] * 20, 0.95)],
    ids=["a single image", "fewer places than classes", "fewer left than classes"],
)
def test_impossible_cut_is_refused(counts: list[int], fraction: float) -> None:
    with pytest.raises(ValueError, match=rf"^cannot cut off {fraction} of {sum(counts)} images: ") as caught:
        stratified_split(labels_of(counts), fraction, 0)
    assert "\n" not in str(caught.value)


def test_no_class_vanishes_from_the_first_part() -> None:
    labels = labels_of([990, 2])
    with pytest.raises(ValueError, match="a class would have none left"):
        stratified_split(labels, 0.9, 0)
    first, second = stratified_split(labels, 0.1, 0)
    assert set(labels[first]) == {0, 1}
    assert set(labels[second]) == {0}  # a tenth of two images is none


def test_take_selects_in_the_given_order() -> None:
    taken = split_of([5, 5]).take(np.array([7, 2, 4])).take(np.array([2, 0]))
    assert list(taken.images.names) == ["row4", "row7"]
    assert taken.labels.tolist() == labels_of([5, 5])[[4, 7]].tolist()
    assert [np.asarray(taken.images.open(row))[0, 0] for row in range(2)] == [4, 7]
    assert len(taken) == 2


class Counting:
    """Images that count how often their names are asked for."""

    asked = 0

    @property
    def names(self) -> Sequence[str]:
        self.asked += 1
        return [str(row) for row in range(100)]

    def open(self, index: int) -> Image.Image:
        raise NotImplementedError

    def fingerprint(self) -> None:
        return None


def test_names_of_selections_of_selections_cost_one_pass() -> None:
    counting = Counting()
    images = SomeImages(SomeImages(counting, np.arange(100)), np.arange(0, 100, 2))
    assert [images.names[row] for row in range(50)] == [str(row) for row in range(0, 100, 2)]
    assert counting.asked <= 2


def test_selection_is_not_cached() -> None:
    assert split_of([4]).take(np.arange(2)).images.fingerprint() is None


def test_missing_splits_are_cut_from_train() -> None:
    source = cut_splits(Source({"train": split_of([50, 50])}, ("a", "b")), Cut(0.25, 0.2, 0))
    assert list(source.splits) == ["train", "held-out", "test"]
    assert {name: len(split) for name, split in source.splits.items()} == {"train": 60, "held-out": 20, "test": 20}
    names = [name for split in source.splits.values() for name in split.images.names]
    assert sorted(names) == sorted(f"row{row}" for row in range(100))
    for split in source.splits.values():
        assert np.bincount(split.labels).tolist() == [len(split) / 2] * 2
        original = [labels_of([50, 50])[int(name[3:])] for name in split.images.names]
        assert split.labels.tolist() == original


def test_own_splits_are_kept_whole() -> None:
    own = {"train": split_of([10, 10]), "test": split_of([3, 2]), "held-out": split_of([2, 2])}
    assert dict(cut_splits(Source(own, ("a", "b")), Cut(0.5, 0.5, 0)).splits) == own


def test_held_out_zero_is_empty() -> None:
    source = cut_splits(Source({"train": split_of([10, 10])}, ("a", "b")), Cut(0, 0.2, 0))
    assert {name: len(split) for name, split in source.splits.items()} == {"train": 16, "held-out": 0, "test": 4}


def test_test_split_does_not_depend_on_what_is_held_out() -> None:
    source = Source({"train": split_of([50, 50])}, ("a", "b"))
    tests = [cut_splits(source, Cut(part, 0.2, 4)).splits["test"] for part in (0.0, 0.1, 0.3)]
    assert list(tests[0].images.names) == list(tests[1].images.names) == list(tests[2].images.names)


@pytest.mark.parametrize(("most", "expected"), [(None, 60), (60, 60), (100, 60), (20, 20), (31, 31)])
def test_fewer_images_to_train_by_keep_their_classes_shares(most: int | None, expected: int) -> None:
    source = Source({"train": split_of([40, 20]), "test": split_of([5, 5])}, ("a", "b"))
    fewer = cut_splits(source, Cut(0.0, 0.0, 0, most))
    counts = np.bincount(fewer.splits["train"].labels)
    assert counts.sum() == expected
    assert abs(counts[0] - expected * 2 / 3) < 1
    assert len(fewer.splits["test"]) == 10
    assert set(fewer.splits["train"].images.names) <= set(source.splits["train"].images.names)


def test_too_few_images_to_train_by_are_refused() -> None:
    with pytest.raises(ValueError, match="1 leave a class without an image"):
        cut_splits(Source({"train": split_of([40, 20])}, ("a", "b")), Cut(0.0, 0.0, 0, 1))


def test_relabel_renumbers_by_name() -> None:
    source = Source({"test": Split(split_of([3]).images, np.array([0, 1, 1]))}, ("b", "c"))
    renumbered = relabel(source, ("c", "a", "b"))
    assert renumbered.splits["test"].labels.tolist() == [2, 0, 0]
    assert renumbered.classes == ("c", "a", "b")


def test_relabel_refuses_a_class_that_is_not_there() -> None:
    source = Source({"test": split_of([2, 2])}, ("cat", "dgo"))
    with pytest.raises(ValueError, match=r"'dgo'.*did you mean dog\?"):
        relabel(source, ("cat", "dog"))
