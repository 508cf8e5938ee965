"""An accuracy as people read it: with its 95 % interval over images, and with a remark where the images are few."""

from __future__ import annotations

from assay.base.statistics import Interval, least_difference, wilson_interval

_FEW = 300  # images; of so many and more, two networks are told apart from 2 percentage points on
_MOST_WITHOUT_TOP5 = 10  # classes; of so few, half of them or more are among the five


def interval(accuracy: float, images: int | None) -> Interval | None:
    """Return the accuracy's 95 % interval (Wilson 1927); None where a record lacks the images or holds no accuracy."""
    if images is None or images < 1 or not 0 <= accuracy <= 1:
        return None
    return wilson_interval(accuracy, images)


def in_brackets(ends: Interval | None) -> str:
    """Write an interval in percent, as ``[94.1, 99.3]``; nothing for None."""
    return "" if ends is None else f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def with_interval(accuracy: float, images: int) -> str:
    """Write an accuracy, or a share of errors, in [0, 1] over so many images, as ``97.93% [94.1, 99.3]``."""
    return f"{accuracy:.2%} {in_brackets(interval(accuracy, images))}".rstrip()


def shows_top5(classes: int) -> bool:
    """Whether the top-5 accuracy is worth showing: of more than 10 classes. Files hold it for any number."""
    return classes > _MOST_WITHOUT_TOP5


def few_images(images: int, compared: str) -> str:
    """Say which differences so few images cannot tell; nothing from 300 images on.

    ``compared`` is what the differences are between, in the plural: each is one network's answers to these images.
    See ``least_difference`` for the formula.
    """
    least = least_difference()
    if images >= _FEW:
        return ""
    few = f"differences of fewer than {least} images ({100 * least / images:.1f} points)"
    differences = few if images >= least else "any differences"
    return f"{images} images: {differences} between {compared} are noise (McNemar's test at 5 %)"
