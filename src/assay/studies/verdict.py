"""What is said of a row, and of the published claim on it, from the tests that were made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

LEVEL = 0.05
"""family-wise error rate of a table: of any false helps or hurts, and likewise of any false makes no difference"""
SPENT: Mapping[int, tuple[float, ...]] = {2: (0.02, 0.03), 3: (0.01, 0.015, 0.025)}
"""the parts of the level that the looks of a sequential plan spend, by their number: less where the data say less"""
FEWEST_RUNS = 3
"""runs of a row and of its control, below which there is no verdict"""
HELPS, HURTS, NO_DIFFERENCE, CANNOT_TELL = "helps", "hurts", "makes no difference", "cannot be told"
HOLDS, DOES_NOT_HOLD = "holds", "does not hold"
NOT_FROM_OURS, WITHIN_NOISE = "cannot be told from our runs", "was within the source's own noise"


def verdict(difference: float, p: float, p_equivalent: float) -> str:
    """Judge a row by the corrected p values of its difference and of its equivalence.

    A difference that is sure and smaller than the margin helps or hurts all the same: so much is known of it.
    """
    if p < LEVEL:
        return HELPS if difference > 0 else HURTS
    return NO_DIFFERENCE if p_equivalent < LEVEL else CANNOT_TELL


def judge_claim(said: str, published: float | None, margin: float, noise: float) -> str:
    """Judge a published difference by the verdict on our runs.

    Args:
        said: the row's verdict.
        published: the published difference, in percentage points; None or 0 claims no direction.
        margin: the largest difference that counts as none, in percentage points.
        noise: by how much two of the source's single runs differ by chance; 0 where it gives no repeated runs.

    Returns:
        ``holds``, ``does not hold``, ``cannot be told from our runs``, ``was within the source's own noise``, or empty
        where nothing was claimed or nothing was tested.
    """
    if not published or said not in (HELPS, HURTS, NO_DIFFERENCE, CANNOT_TELL):
        return ""
    if abs(published) <= noise:
        return WITHIN_NOISE
    if said in (HELPS, HURTS):
        return HOLDS if (said == HELPS) == (published > 0) else DOES_NOT_HOLD
    return DOES_NOT_HOLD if said == NO_DIFFERENCE and abs(published) >= margin else NOT_FROM_OURS


def source_noise(repeats: Sequence[float], level: float = 0.95) -> float:
    """Return by how much two single runs of a source differ by chance, from its repeated runs of one recipe.

    The difference of two runs has sqrt(2) times their standard deviation, which is estimated from these runs, so it
    exceeds this with probability 1 - ``level`` (Student's t).

    Args:
        repeats: accuracies in percent; with fewer than two the answer is 0.
        level: the probability that two runs differ by no more, in (0, 1).
    """
    from scipy.special import stdtrit

    if len(repeats) < 2:
        return 0.0
    mean = sum(repeats) / len(repeats)
    variance = sum((value - mean) ** 2 for value in repeats) / (len(repeats) - 1)
    return float(stdtrit(len(repeats) - 1, (1 + level) / 2) * math.sqrt(2 * variance))
