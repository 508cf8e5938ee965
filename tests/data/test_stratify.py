"""The seeded, stratified cuts of labelled rows, whole groups of them too."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from assay.data.stratify import spread_groups, stratified_folds, stratified_split


def labels_of(counts: Sequence[int]) -> np.ndarray:
    """That many of each class, shuffled."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


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


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=8), st.floats(0.05, 0.6), st.integers(0, 2**32 - 1))
def test_the_same_rows_as_scikit_learns(counts: list[int], fraction: float, seed: int) -> None:
    labels = labels_of(counts)
    assume(len(counts) <= ceil(fraction * len(labels)) <= len(labels) - len(counts))
    rows = np.arange(len(labels))
    expected = train_test_split(rows, test_size=fraction, stratify=labels, random_state=seed)
    for ours, theirs in zip(stratified_split(labels, fraction, seed), expected, strict=True):
        assert np.array_equal(ours, np.sort(theirs))


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


def test_folds_are_scikit_learns() -> None:
    labels = labels_of([17, 30, 8])
    numbers = stratified_folds(labels, 4, 7, classes="abc")
    theirs = StratifiedKFold(4, shuffle=True, random_state=7).split(labels, labels)
    for number, (_, rows) in enumerate(theirs, start=1):
        assert np.flatnonzero(numbers == number).tolist() == rows.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_folds_of_groups_are_as_even_as_scikit_learns(seed: int, folds: int) -> None:
    """Of the same kind of greedy choice; on some sets one is a little better, on others the other."""
    generator = np.random.default_rng(seed)
    images, classes = int(generator.integers(100, 300)), int(generator.integers(2, 6))
    labels = generator.integers(0, classes, images)
    groups = generator.integers(0, images // 3, images)
    theirs = np.empty(images, dtype=np.int64)
    with warnings.catch_warnings(action="ignore"):
        for number, (_, rows) in enumerate(StratifiedGroupKFold(folds).split(labels, labels, groups)):
            theirs[rows] = number
    ours = spread_groups(labels, groups, [1 / folds] * folds, seed)
    assert unevenness(labels, ours, folds) <= unevenness(labels, theirs, folds) + 0.02
    assert all(len(set(ours[groups == group])) == 1 for group in set(groups))


def unevenness(labels: np.ndarray, parts: np.ndarray, count: int) -> float:
    """The measure that scikit-learn's choice lowers: the spread over the parts of the share of each class."""
    of_class = np.stack([np.bincount(labels[parts == part], minlength=labels.max() + 1) for part in range(count)])
    return float((of_class / of_class.sum(axis=0)).std(axis=0).mean())


def test_groups_of_one_image_are_spread_as_images_are() -> None:
    labels = labels_of([23, 40, 9])
    parts = spread_groups(labels, np.arange(72), [0.5, 0.3, 0.2], 0)
    for number, count in enumerate([23, 40, 9]):
        found = np.bincount(parts[labels == number], minlength=3)
        assert np.abs(found - count * np.array([0.5, 0.3, 0.2])).max() <= 1


def test_large_groups_come_into_each_part_by_its_share() -> None:
    """A part that is small is not left to the small groups."""
    groups = np.repeat(np.arange(20), 10)
    parts = spread_groups(np.zeros(200, dtype=np.int64), groups, [0.8, 0.2], 0)
    assert np.bincount(parts).tolist() == [160, 40]


def test_the_seed_decides_of_groups_too() -> None:
    labels, groups = labels_of([50, 50]), np.arange(100) // 2
    first, again, other = (stratified_split(labels, 0.2, seed, groups)[1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(stratified_split(labels, 0.2, 2**63, groups)[1]) == 20


@pytest.mark.parametrize(
    ("counts", "groups", "said"),
    [
        ([9, 4], None, "data.folds: 5 folds need as many images of each class; 'b' has 4"),
        ([9, 9], [0] * 9 + [1] * 9, "data.groups: 2 groups of images are too few or too large for 5"),
        (
            [0, 30, 6],
            [*range(30), *[40] * 6],
            "data.groups: all images of 'c' would be in one fold; they are in 1 groups",
        ),
    ],
)
def test_impossible_folds_are_refused(counts: list[int], groups: list[int] | None, said: str) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    with pytest.raises(ValueError, match=said):
        stratified_folds(labels, 5, 0, None if groups is None else np.array(groups), classes="abc")


def test_a_class_without_images_is_no_reason_to_refuse() -> None:
    assert np.bincount(stratified_folds(np.array([0, 2] * 4), 2, 0, classes="abcd")).tolist() == [0, 4, 4]


def test_of_large_groups_one_of_the_smallest_is_cut_off() -> None:
    groups = np.repeat(np.arange(8), [4, 3, 3, 3, 3, 3, 3, 2])
    first, second = stratified_split(groups % 2, 0.1, 0, groups)
    assert second.tolist() == [22, 23]
    assert first.tolist() == [*range(22)]


def test_groups_that_cannot_be_cut_are_refused() -> None:
    labels = np.array([0, 1] * 10)
    with pytest.raises(ValueError, match=r"^cannot cut off 0\.1 of 20 images: the smallest of their 1 groups has 20$"):
        stratified_split(labels, 0.1, 0, np.zeros(20, dtype=np.int64))
    with pytest.raises(ValueError, match="a class would have none left"):
        stratified_split(np.array([0] * 18 + [1] * 2), 0.9, 0, np.array([*range(18), 40, 40]))
