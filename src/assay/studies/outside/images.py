"""The chance that the choice of test images adds: a bootstrap over images (Efron & Tibshirani 1993, chapter 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.studies.results import RowResults

_RESAMPLES = 10_000


@dataclass(frozen=True)
class ImageInterval:
    """A difference of accuracies over the same images, in percentage points, and its 95 % interval over images.

    Attributes:
        mean: the difference of the mean accuracies over the runs.
        low: lower end of the interval: other images like these, the same networks.
        high: upper end of it.
        images: their number.
    """

    mean: float
    low: float
    high: float
    images: int

    @property
    def in_words(self) -> str:
        """The interval as a sentence."""
        return (
            f"Over other images like these {self.images:,} the difference of these networks lies from "
            f"{self.low:+.2f} to {self.high:+.2f} points (95 %, bootstrap)."
        )


def over_images(rows: Sequence[RowResults], control: str) -> Mapping[str, ImageInterval]:
    """Return the interval of each row whose runs, like the control's, say of each image whether they were right."""
    shares = {row.row.name: _shares(row) for row in rows}
    reference = shares[control]
    if reference is None:
        return {}
    return {
        name: bootstrap(own - reference)
        for name, own in shares.items()
        if name != control and own is not None and len(own) == len(reference)
    }


def _shares(row: RowResults) -> NDArray[np.float64] | None:
    """The share of the row's runs that were right, by image; None where a run does not say."""
    answers = [result.correct for result in row.results if result.correct is not None]
    return np.mean(answers, axis=0) if answers and len(answers) == len(row.results) else None


def bootstrap(differences: NDArray[np.float64], resamples: int = _RESAMPLES) -> ImageInterval:
    """Draw images with replacement, and take the 2.5 % and 97.5 % quantiles of the mean difference.

    Few differences are distinct, so it draws how often each of them comes: that is the same distribution.

    Args:
        differences: the row's share minus the control's, by image, from -1 to 1.
        resamples: how often to draw.
    """
    values, counts = np.unique(differences, return_counts=True)
    n = len(differences)
    drawn = np.random.default_rng(0).multinomial(n, counts / n, size=resamples) @ values / n
    low, high = np.quantile(drawn, (0.025, 0.975))
    return ImageInterval(100 * float(differences.mean()), 100 * float(low), 100 * float(high), n)
