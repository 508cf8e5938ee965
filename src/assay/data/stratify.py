"""Labelled rows cut into parts in which every class keeps its share, seeded; rows of one group stay together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
_SEEDS = 2**32  # that scikit-learn takes


def stratified_split(labels: Rows, fraction: float, seed: int, groups: Rows | None = None) -> tuple[Rows, Rows]:
    """Cut rows in two so that every class keeps its share in both, as nearly as whole images or groups allow.

    Args:
        labels: int64 ``[N]``.
        fraction: the second part's share, in [0, 1).
        seed: of the choice within each class.
        groups: the number of each row's group, int64 ``[N]``, of which none stands in both parts.

    Returns:
        The rows of the first and of the second part, each ascending.

    Raises:
        ValueError: there are too few images or groups to cut so, or a class would have none left in the
            first part. (The second may lack a class of which the fraction is less than one image.)
    """
    if fraction == 0:
        return np.arange(len(labels)), np.arange(0)
    refusal = f"cannot cut off {fraction:g} of {len(labels)} images"
    if groups is None:
        first, second = _shuffle_split(labels, math.ceil(fraction * len(labels)), seed, refusal)
    else:
        parts = spread_groups(labels, groups, [1 - fraction, fraction], seed)
        if not parts.any():  # of each class a group is more than its share: one of the smallest is better than none
            names, sizes = np.unique(groups, return_counts=True)
            if sizes.min() > 2 * fraction * len(labels):
                raise ValueError(f"{refusal}: the smallest of their {len(names)} groups has {sizes.min()}")
            parts = (groups == names[sizes.argmin()]).astype(np.int64)
        first, second = np.flatnonzero(parts == 0), np.flatnonzero(parts == 1)
    if set(labels[first]) != set(labels):
        raise ValueError(f"{refusal}: a class would have none left")
    return first, second


def _shuffle_split(labels: Rows, size: int, seed: int, refusal: str) -> tuple[Rows, Rows]:
    """Cut off ``size`` rows as scikit-learn's StratifiedShuffleSplit does, without its import, which takes seconds."""
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min(initial=2) < 2:
        raise ValueError(f"{refusal}: a class has a single image")
    if min(size, len(labels) - size) < len(counts):
        raise ValueError(f"{refusal}: both parts need an image of each of the {len(counts)} classes")
    generator = np.random.RandomState(seed % _SEEDS)
    kept = _whole_shares(counts, len(labels) - size, generator)
    _whole_shares(counts - kept, size, generator)  # all that is left; drawn because it moves the generator on
    by_class = np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])
    drawn = [rows[generator.permutation(len(rows))] for rows in by_class]
    first, second = zip(*((rows[:count], rows[count:]) for rows, count in zip(drawn, kept, strict=True)), strict=True)
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def _whole_shares(counts: Rows, total: int, generator: np.random.RandomState) -> Rows:
    """Return how many of each class make ``total``: rounded down, and then the largest remainders, equals at random."""
    exact = counts / counts.sum() * total
    shares: Rows = np.floor(exact).astype(np.int64)
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        missing = total - shares.sum()
        if missing:
            (equal,) = np.nonzero(remainders == remainder)
            shares[generator.choice(equal, min(missing, len(equal)), replace=False)] += 1
    return shares


def stratified_folds(
    labels: Rows, folds: int, seed: int, groups: Rows | None = None, *, classes: Sequence[str]
) -> Rows:
    """Return the number of each row's fold, from 1 to ``folds``, int64 ``[N]``; every class keeps its share in each.

    Args:
        labels: int64 ``[N]``.
        folds: how many, at least 2.
        seed: of the choice within each class.
        groups: the number of each row's group, int64 ``[N]``, of which none stands in two folds.
        classes: names of the classes, for the errors.

    Raises:
        ValueError: a class has fewer images than there are folds, a fold would be empty, or all images of a class are
            in one fold, so that they would have to be answered for by a network that has seen none of the class.
    """
    counts = np.bincount(labels)
    for name, count in zip(classes, counts, strict=False):
        if 0 < count < folds:
            raise ValueError(f"data.folds: {folds} folds need as many images of each class; {name!r} has {count}")
    if groups is None:
        from sklearn.model_selection import StratifiedKFold

        numbers = np.empty(len(labels), dtype=np.int64)
        cut = StratifiedKFold(folds, shuffle=True, random_state=seed % _SEEDS).split(labels, labels)
        for number, (_, rows) in enumerate(cut, start=1):
            numbers[rows] = number
        return numbers
    numbers = 1 + spread_groups(labels, groups, [1 / folds] * folds, seed)
    if len(np.unique(numbers)) < folds:
        raise ValueError(f"data.groups: {len(np.unique(groups))} groups of images are too few or too large for {folds}")
    for name, number in zip(classes, range(len(counts)), strict=False):
        if counts[number] and len(np.unique(numbers[labels == number])) == 1:
            of_class = len(np.unique(groups[labels == number]))
            raise ValueError(f"data.groups: all images of {name!r} would be in one fold; they are in {of_class} groups")
    return numbers


def spread_groups(labels: Rows, groups: Rows, shares: Sequence[float], seed: int) -> Rows:
    """Return the part of each row, int64 ``[N]`` from 0, so that groups stay whole and classes keep their shares.

    The groups come one after another, the largest first and equals in random order. Each goes to the part in which the
    chi-squared distance of the counts of classes from those that are wanted rises least; of equals the emptiest. It is
    greedy as scikit-learn's StratifiedGroupKFold is, whose time for 3,400 groups is seconds, and takes any shares.

    Args:
        labels: int64 ``[N]``.
        groups: the number of each row's group, int64 ``[N]``.
        shares: of the images in each part, above 0; their sum is 1.
        seed: of the order of groups of equal size.
    """
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((group.max(initial=-1) + 1, label.max(initial=-1) + 1))
    np.add.at(counts, (group, label), 1)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    wanted = np.outer(shares, counts.sum(axis=0))
    held, parts = np.zeros_like(wanted), np.empty(len(counts), dtype=np.int64)
    for one in order:
        rise = (counts[one] * (2 * (held - wanted) + counts[one]) / wanted).sum(axis=1)
        # Rounded, so that the last digit, which differs between machines, does not decide between equals.
        parts[one] = np.lexsort((held.sum(axis=1) / shares, rise.round(9)))[0]
        held[parts[one]] += counts[one]
    return parts[group]


def stratified_sample(labels: Rows, most: int, seed: int) -> Rows:
    """Return ``most`` rows, ascending, of which each class has its share but for the rounding."""
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]  # stable: each class keeps its random order
    sizes = np.bincount(labels)[labels[by_class]]
    places = np.concatenate([np.arange(size) for size in np.bincount(labels)])
    shares = (places + 0.5) / sizes  # the same for all classes at the same depth
    return np.sort(by_class[np.argsort(shares, kind="stable")[:most]])
