"""What a fine-tuning recipe takes from the size of the set: a few rules, whose evidence is in docs/photos.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STEPS = 400
FEW_STEPS = 200
FEW_IMAGES = 2000
FEW_HELD_OUT = 50
UNWATCHED_RATE = 3e-4
_NONE_GIVEN: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Choice:
    """A field's value, and the reason for it in a few words."""

    value: Any
    reason: str


def suit_finetuning(images: int, held_out: int = 0, given: Mapping[str, Any] = _NONE_GIVEN) -> dict[str, Choice]:
    """Choose the fields of a fine-tuning recipe that depend on the size of the set.

    Args:
        images: labelled images to learn from, before any are held out; at least 1.
        held_out: images in the set's own held-out split; 0 if it brings none.
        given: fields that the user has set, under dotted names; the others suit these.

    Returns:
        The choices under dotted names; those that are given are not among them.
    """
    # A share of 0 means that no split selects the epoch, whether the set brings one or not.
    share = given.get("data.held_out", 0.1 if held_out or images >= 10 * FEW_HELD_OUT else 0.0)
    watched = (held_out or round(share * images)) if share else 0
    learned = images if held_out else images - watched
    batch = given.get("train.batch_size", min(16, learned) if images < 1000 else 32)
    per_epoch = max(1, learned // batch)
    passes = 8 if images < 20_000 else 4
    epochs = given.get("train.epochs", max(passes, math.ceil(STEPS / per_epoch)))
    steps = epochs * per_epoch
    selects = watched >= FEW_HELD_OUT
    choices = {
        "data.held_out": Choice(share, f"{images:,} images, {'enough' if share else 'too few'} to hold some out"),
        "train.select": Choice(
            "held-out" if selects else "last",
            f"{watched:,} held-out images {'can' if selects else 'cannot'} tell epochs apart",
        ),
        "train.batch_size": Choice(batch, f"{images:,} images"),
        "train.epochs": Choice(epochs, f"{steps:,} steps: at least {STEPS}, and at least {passes} epochs"),
        "train.ema": Choice(_decay(steps, images), f"{steps:,} steps on {images:,} images"),
        "transfer.freeze_norms": Choice(
            steps < 5 * STEPS, f"{steps:,} steps are {'too few' if steps < 5 * STEPS else 'enough'} for new statistics"
        ),
    }
    # The recipe's rate first makes the network worse, and few images may never make up for it. Held-out images would
    # keep the linear probe then.
    if images < 10 * FEW_HELD_OUT and not selects:
        why = f"{images:,} images, none of which would tell that a higher one harms"
        choices["optim.lr"] = Choice(UNWATCHED_RATE, why)
    if steps < FEW_STEPS and not selects:
        choices["transfer.freeze"] = Choice("body", f"{steps:,} steps are too few for all layers")
    return {name: choice for name, choice in choices.items() if name not in given}


def _decay(steps: int, images: int) -> float:
    """The decay of the average weights, over two thirds of the steps for few images and an eighth for more.

    The longer average keeps a fifth of the weights that the run began with, which small sets should not move far from
    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", section 3).
    """
    horizon = steps / (1.5 if images < FEW_IMAGES else 8)
    return round(1 - 1 / max(2.0, horizon), 5)
