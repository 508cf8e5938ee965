"""Which epoch's weights are kept, and when a run is over."""

from __future__ import annotations

from assay.base.json_files import JsonObject
from assay.recipe.sections import TrainSection

SELECTION = {
    "held-out": "the epoch that was best on the held-out split",
    "last": "the last epoch",
    "test": "the epoch that was best ON THE TEST SPLIT: its test figures are optimistic",
}


PROBE = "the linear probe that the run began as: no epoch was better on the held-out split"


def score(row: JsonObject, select: str) -> tuple[float, ...]:
    """Return what the selected epoch has the most of: accuracy, and among equals the negative loss."""
    if select == "last":
        return (row["epoch"],)  # which rises, so that every epoch is better than those before
    split = select.replace("-", "_")
    return (row[f"{split}_accuracy"], -row[f"{split}_loss"])


def last_epoch(train: TrainSection) -> int:
    """The epoch after which a run is over in any case, from 1."""
    return train.stop_after or train.epochs


def is_over(train: TrainSection, epoch: int, best_epoch: int) -> bool:
    """Whether a run is over after ``epoch`` epochs, of which ``best_epoch`` (from 1) was the best.

    Early stopping (Prechelt 1998) ends it after ``train.patience`` epochs without a better one.
    """
    stalled = train.patience is not None and epoch - best_epoch >= train.patience
    return epoch >= last_epoch(train) or stalled
