"""How much of the variance is the split's: the same rows on several cuts of the images into train and held-out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.base.numbers import whole
from assay.studies.plan import Plan
from assay.studies.results import RowResults
from assay.studies.study import Row, Study, common_name

Floats = NDArray[np.float64]
SPLIT_SEED = "data.split_seed"
_BRING_A_TEST_SPLIT = ("cifar10", "cifar100", "cifar100-coarse", "fashion-mnist")
_TAIL = 0.025
_DRAWS = 400


@dataclass(frozen=True)
class Part:
    """A part of the variance of the accuracy, as a standard deviation in percentage points.

    Attributes:
        std: the estimate; nan where there are too few runs.
        low: lower end of its 95 % interval.
        high: upper end of it.
    """

    std: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Parts:
    """The parts of a row's variance.

    Attributes:
        name: of the row, without its splits.
        splits: the number of splits.
        split: over splits of the images, beside what the seed adds.
        seed: over seeds, on one split.
        images: over other test sets of as many images, seed and split given.
    """

    name: str
    splits: int
    split: Part
    seed: Part
    images: Part


def with_splits(study: Study, count: int) -> Study:
    """Return the study of another's controls, or of its first row where it has none, on several splits.

    Args:
        study: its rows' runs of the split 0 are shared.
        count: splits, at least 2; each is ``data.split_seed`` of a row.
    """
    whole("splits", count, low=2)
    chosen = [row for row in study.rows if row.name in study.controls] or [study.rows[0]]
    rows = [
        Row(f"{row.name}, split {split}", {**row.changes, SPLIT_SEED: split}, split=row.split, after=row.after)
        for row in chosen
        for split in range(count)
    ]
    return Study(
        f"{study.name}-splits",
        "How much does the accuracy vary with the split of the images, with the seed, and with the test images?",
        study.base,
        tuple(rows),
        source=study.source,
        protocol=study.protocol,
        quick=study.quick,
        notes=study.notes,
    )


def check_splits(plan: Plan) -> None:
    """Raise ``ValueError`` where a row is the same on every split: nothing is cut off its training images."""
    for name, jobs in plan.jobs.items():
        data = next(iter(jobs.values())).recipe.data
        if data.name in _BRING_A_TEST_SPLIT and not data.held_out and data.train_images is None and not data.folds:
            raise ValueError(
                f"splits: {name}: no training image of {data.name} is held out or left out, so all splits are one; "
                "did you mean --protocol held-out?"
            )


def parts_of_variance(rows: Sequence[RowResults]) -> tuple[Parts, ...]:
    """Return the parts for rows that differ in ``data.split_seed`` alone, where there are two or more with runs."""
    groups: dict[str, list[RowResults]] = {}
    for row in rows:
        if row.counted:
            same = row.recipe.but({SPLIT_SEED: 0, "train.seed": 0})
            groups.setdefault(f"{row.row.split} {sorted(row.row.after)} {same.to_yaml()}", []).append(row)
    return tuple(_parts(members) for members in groups.values() if len({_split(row) for row in members}) > 1)


def nested(groups: Sequence[Sequence[float]]) -> tuple[Part, Part]:
    """Estimate the standard deviations between groups and within them, each with its 95 % interval.

    The analysis of variance of one random factor, with groups of any size (Searle, Casella & McCulloch 1992, section
    3.6). The interval within groups is that of chi squared; that between them the modified large-sample interval
    (Ting et al. 1990, Confidence intervals on linear combinations of variance components that are unrestricted in sign;
    Burdick & Graybill 1992, section 3.2), whose ends are at least 0.

    Args:
        groups: values of two or more groups.

    Returns:
        Between and within; nan where no group has two values.
    """
    from scipy.special import chdtri

    values = [np.asarray(group, dtype=np.float64) for group in groups]
    sizes = np.array([len(group) for group in values])
    total, a, b = int(sizes.sum()), len(values) - 1, int(sizes.sum()) - len(values)
    if b < 1:
        return Part(math.nan), Part(math.nan)
    centre = np.concatenate(values).mean()
    between = float(sum(len(one) * (one.mean() - centre) ** 2 for one in values)) / a
    within = float(sum(((one - one.mean()) ** 2).sum() for one in values)) / b
    size = (total - float((sizes**2).sum()) / total) / a
    down, up = (_distance(between, within, a, b, tail) for tail in (_TAIL, 1 - _TAIL))
    ends = (between - within, between - within - down, between - within + up)
    low, high = (math.sqrt(b * within / float(chdtri(b, tail))) for tail in (_TAIL, 1 - _TAIL))
    return Part(*(math.sqrt(max(0.0, end) / size) for end in ends)), Part(math.sqrt(within), low, high)


def _distance(between: float, within: float, a: int, b: int, tail: float) -> float:
    """The distance of the difference of two mean squares to an end of its interval (Ting et al. 1990).

    Args:
        between: the mean square between groups.
        within: that within them.
        a: degrees of freedom of the first.
        b: those of the second.
        tail: the probability above the quantiles of the first: 0.025 for the lower end, 0.975 for the upper.
    """
    from scipy.special import chdtri, fdtri

    own, theirs = 1 - a / float(chdtri(a, tail)), b / float(chdtri(b, 1 - tail)) - 1
    f = float(fdtri(a, b, 1 - tail))
    mixed = ((f - 1) ** 2 - (own * f) ** 2 - theirs**2) / f
    return math.sqrt(max(0.0, (own * between) ** 2 + (theirs * within) ** 2 + mixed * between * within))


def over_images(answers: Sequence[NDArray[np.bool_]]) -> Part:
    """Estimate how much the accuracy varies with the choice of the test images, in percentage points.

    As `assay.base.statistics.images_deviation`, the mean over the splits; the interval is a bootstrap over the images.

    Args:
        answers: of each split, whether each seed's network classified each image correctly, ``[seeds, images]``.
    """
    known = [one for one in answers if len(one) > 1]
    if not known:
        return Part(math.nan)
    generator = np.random.default_rng(0)
    found = [_image_variance(one, np.ones((1, one.shape[1]))) for one in known]
    drawn = [_image_variance(one, _resampled(one.shape[1], generator)) for one in known]
    std, *ends = (
        100 * math.sqrt(max(0.0, float(one)))
        for one in (np.mean(found), *np.quantile(np.mean(drawn, axis=0), [_TAIL, 1 - _TAIL]))
    )
    return Part(std, *ends)


def _image_variance(correct: NDArray[np.bool_], counts: Floats) -> Floats:
    """The variance over test sets, for images that count so often: ``[draws, images]`` to ``[draws]``."""
    seeds, images = correct.shape
    share = correct.mean(axis=0)
    mean, squared, spread = (counts @ one / images for one in (share, share**2, share * (1 - share)))
    return np.asarray(((squared - mean**2) * images / (images - 1) - spread / (seeds - 1)) / images)


def _resampled(images: int, generator: np.random.Generator) -> Floats:
    return generator.multinomial(images, np.full(images, 1 / images), size=_DRAWS).astype(np.float64)


def _parts(members: Sequence[RowResults]) -> Parts:
    split, seed = nested([list(row.counted.values()) for row in members])
    answers = [[result.correct for result in row.results if result.correct is not None] for row in members]
    alike = [np.stack(own) for own in answers if own and len({len(one) for one in own}) == 1]
    name = common_name([row.row.name for row in members])
    return Parts(name, len(members), split, seed, over_images(alike))


def _split(row: RowResults) -> int:
    return row.recipe.data.split_seed
