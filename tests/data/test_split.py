"""The splits that are cut from train, folds too, and selections of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from assay.data.images import ArrayImages
from assay.data.split import Cut, SomeImages, Source, Split, cut_splits, distinct_names, fold_numbers, pooled, relabel


def labels_of(counts: Sequence[int]) -> np.ndarray:
    """That many of each class, shuffled."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def split_of(counts: Sequence[int]) -> Split:
    labels = labels_of(counts)
    pixels = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1).repeat(4, 1).repeat(4, 2)
    return Split(ArrayImages(pixels, [f"row{row}" for row in range(len(labels))]), labels)


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

    def excerpt(self, index: int) -> bytes:
        raise NotImplementedError


def test_names_of_selections_of_selections_cost_one_pass() -> None:
    counting = Counting()
    images = SomeImages(SomeImages(counting, np.arange(100)), np.arange(0, 100, 2))
    assert [images.names[row] for row in range(50)] == [str(row) for row in range(0, 100, 2)]
    assert counting.asked <= 2


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


def source_of(groups: np.ndarray | None = None, **splits: Sequence[int]) -> Source:
    """Splits with names of their own; ``groups`` are those of train and held-out, one after the other."""
    made, start = {}, 0
    for name, counts in splits.items():
        name = name.replace("_", "-")
        split = split_of(counts)
        images = replace(split.images, names=[f"{name}/{row}" for row in range(len(split))])
        made[name] = Split(images, split.labels)
        if groups is not None and name != "test":
            made[name] = replace(made[name], groups=groups[start : start + len(split)])
            start += len(split)
    return Source(made, ("a", "b"))


def test_folds_take_the_place_of_the_test_split_and_hold_each_image_once() -> None:
    source = pooled(source_of(train=[20, 30], held_out=[5, 5], test=[4, 4]))
    runs = [cut_splits(source, Cut(0.1, 0.2, 3, folds=5, fold=fold)).splits for fold in range(1, 6)]
    tested = [name for run in runs for name in run["test"].images.names]
    assert sorted(tested) == sorted([f"train/{row}" for row in range(50)] + [f"held-out/{row}" for row in range(10)])
    for run in runs:
        assert {name: np.bincount(split.labels).tolist() for name, split in run.items()} == {
            "train": [18, 25],
            "held-out": [2, 3],
            "test": [5, 7],
        }
        names = [name for split in run.values() for name in split.images.names]
        assert sorted(names) == sorted(source.splits["train"].images.names)


def test_without_a_fold_all_images_that_are_cut_into_folds_are_trained_on() -> None:
    source = pooled(source_of(train=[20, 30], held_out=[5, 5], test=[4, 4]))
    splits = cut_splits(source, Cut(0, 0, 3, folds=5)).splits
    assert {name: len(split) for name, split in splits.items()} == {"train": 60, "held-out": 0, "test": 8}
    assert list(splits["train"].images.names) == [f"train/{n}" for n in range(50)] + [
        f"held-out/{n}" for n in range(10)
    ]


def test_the_pixels_of_pooled_images_stay_with_their_names_and_labels() -> None:
    source = source_of(train=[3, 2], held_out=[1, 2])
    whole = pooled(source).splits["train"].take(np.array([6, 0, 5]))
    parts = source.splits["train"], source.splits["held-out"]
    assert list(whole.images.names) == ["held-out/1", "train/0", "held-out/0"]
    assert whole.labels.tolist() == [parts[1].labels[1], parts[0].labels[0], parts[1].labels[0]]
    for row, (part, place) in enumerate([(1, 1), (0, 0), (1, 0)]):
        assert np.array_equal(np.asarray(whole.images.open(row)), np.asarray(parts[part].images.open(place)))


def test_the_numbers_of_the_folds_are_those_of_the_cut() -> None:
    source, cut = source_of(train=[20, 20]), Cut(0, 0, 1, folds=4)
    numbers = fold_numbers(source, cut)
    for fold in range(1, 5):
        tested = cut_splits(source, replace(cut, fold=fold)).splits["test"].images.names
        assert [int(name.removeprefix("train/")) for name in tested] == np.flatnonzero(numbers == fold).tolist()


def test_no_group_stands_in_two_splits() -> None:
    groups = np.random.default_rng(0).integers(0, 25, 90)
    source = source_of(groups, train=[40, 40], held_out=[5, 5])
    group_of = dict(zip(pooled(source).splits["train"].images.names, groups.tolist(), strict=True))
    cuts = [(source, Cut(0.2, 0.3, 1)), *((pooled(source), Cut(0.2, 0, 1, folds=3, fold=fold)) for fold in (1, 2, 3))]
    for cut_from, cut in cuts:
        splits = cut_splits(cut_from, cut).splits
        held = [{group_of[name] for name in split.images.names} for split in splits.values()]
        assert all(held)
        assert sum(map(len, held)) == len(set().union(*held)) if cut.fold else not held[0] & held[2]


def test_any_fold_that_cannot_be_cut_is_refused_before_the_first_is_trained() -> None:
    source = source_of(train=[40, 3])  # one fold has two images of the second class: a single one is left to train by
    assert np.bincount(fold_numbers(source, Cut(folds=2))[source.splits["train"].labels == 1])[1:].max() == 2
    for fold in (1, 2):
        with pytest.raises(ValueError, match=r"^cannot cut off"):
            cut_splits(source, Cut(0.1, 0, folds=2, fold=fold))


def test_relabel_renumbers_by_name() -> None:
    source = Source({"test": Split(split_of([3]).images, np.array([0, 1, 1]))}, ("b", "c"))
    renumbered = relabel(source, ("c", "a", "b"))
    assert renumbered.splits["test"].labels.tolist() == [2, 0, 0]
    assert renumbered.classes == ("c", "a", "b")


def test_relabel_refuses_a_class_that_is_not_there() -> None:
    source = Source({"test": split_of([2, 2])}, ("cat", "dgo"))
    with pytest.raises(ValueError, match=r"'dgo'.*did you mean dog\?"):
        relabel(source, ("cat", "dog"))


def test_names_of_classes_are_made_distinct() -> None:
    assert distinct_names(("a", "b", "A")) == ("a", "b", "A")
    assert distinct_names(("a", "b", "a")) == ("a (0)", "b", "a (2)")
    assert distinct_names(("a", "a", "a (0)")) == ("a (0) (0)", "a (1)", "a (0) (2)")
    assert Source({}, ("a", "b", "a")).classes == ("a (0)", "b", "a (2)")
