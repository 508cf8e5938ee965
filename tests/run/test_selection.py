"""The epoch that is kept, and the epoch at which no better one is awaited any more."""

from __future__ import annotations

import pytest

from assay.recipe.sections import TrainSection
from assay.run.selection import is_over, score

ROW = {
    "epoch": 3,
    "held_out_accuracy": 0.5,
    "held_out_loss": 1.5,
    "test_accuracy": 0.4,
    "test_loss": 1.7,
}


@pytest.mark.parametrize(("select", "expected"), [("last", (3,)), ("held-out", (0.5, -1.5)), ("test", (0.4, -1.7))])
def test_score_is_the_accuracy_then_the_loss(select: str, expected: tuple[float, ...]) -> None:
    assert score(ROW, select) == expected


@pytest.mark.parametrize(
    ("patience", "epoch", "best", "over"),
    [
        (None, 9, 1, False),
        (None, 10, 10, True),
        (2, 2, 1, False),
        (2, 3, 1, True),
        (2, 10, 9, True),
        (1, 1, 1, False),
        (1, 2, 1, True),
        (3, 0, 0, False),
    ],
)
def test_a_run_is_over_at_its_last_epoch_or_when_patience_ends(
    patience: int | None, epoch: int, best: int, over: bool
) -> None:
    assert is_over(TrainSection(epochs=10, patience=patience), epoch, best) is over
