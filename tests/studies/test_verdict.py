"""What is said of a row and of a published claim, from given tests."""

import math

import numpy as np
import pytest

from assay.studies.verdict import judge_claim, source_noise, verdict


def test_verdicts_by_themselves() -> None:
    assert [verdict(mean, 0.049, 1.0) for mean in (-1.0, 1.0)] == ["hurts", "helps"]
    assert verdict(-1.0, 0.05, 0.049) == "makes no difference"
    assert verdict(-1.0, 0.05, 0.05) == verdict(-1.0, math.nan, math.nan) == "cannot be told"
    assert verdict(0.2, 0.01, 0.01) == "helps"  # a little


@pytest.mark.parametrize(
    ("said", "published", "expected"),
    [
        ("helps", 4.0, "holds"),
        ("hurts", -4.0, "holds"),
        ("helps", -4.0, "does not hold"),
        ("makes no difference", 4.0, "does not hold"),
        ("cannot be told", 4.0, "cannot be told from our runs"),
        ("helps", -3.0, "was within the source's own noise"),
        ("cannot be told", 3.9, "was within the source's own noise"),
        ("helps", None, ""),
        ("helps", 0.0, ""),
        ("failed", 4.0, ""),
        ("control", 4.0, ""),
    ],
)
def test_claims_by_themselves(said: str, published: float | None, expected: str) -> None:
    assert judge_claim(said, published, margin=1.0, noise=3.92) == expected


def test_a_small_published_difference_is_not_denied_by_a_smaller_one() -> None:
    assert judge_claim("makes no difference", 0.5, margin=1.0, noise=0.0) == "cannot be told from our runs"


def test_the_noise_of_a_source_that_repeated_its_runs() -> None:
    """Five runs: standard deviation 1.00, t with four degrees of freedom 2.776, and sqrt(2) for two runs."""
    repeats = (78.62, 80.60, 79.64, 80.33, 78.36)
    assert np.std(repeats, ddof=1) == pytest.approx(1.00, abs=0.005)
    assert source_noise(repeats) == pytest.approx(2.776445 * math.sqrt(2) * np.std(repeats, ddof=1))
    assert source_noise(repeats) == pytest.approx(3.92, abs=0.01)
    assert source_noise(()) == source_noise((78.0,)) == 0
