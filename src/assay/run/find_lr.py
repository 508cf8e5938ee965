"""A recipe's learning rate swept upward on a copy of its network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from assay.base.device import pick_device, reproducible
from assay.recipe.named import find_recipe
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.run.precision import settled
from assay.run.suited import suited
from assay.training.lr_finder import Sweep, sweep_rates
from assay.training.transfer import train_what_learns


def find_lr(recipe: str | Path | Recipe = "digits", changes: Mapping[str, Any] | None = None) -> Sweep:
    """Train a copy of a recipe's network briefly while the learning rate rises, to see which rates lower the loss.

    Args:
        recipe: as for ``train``.
        changes: fields to change, as for ``train``.

    Returns:
        The rates, their losses, and a rate to begin with (``sweep.suggestion``).

    Raises:
        ValueError: as for ``train``; or the first loss is not finite.

    >>> 1e-5 < find_lr("digits").suggestion < 1
    True
    """
    adapted = suited(*find_recipe(recipe), changes or {})
    wanted, remarks = settled(adapted.recipe.as_trained())
    device = pick_device(wanted.train.device)
    with reproducible(wanted.train.seed, device, wanted.train.threads or torch.get_num_threads()):
        components = build(wanted, device)
        components.freeze(0)  # as in the first epoch, for which the rate is wanted
        endless = (batch for epoch in itertools.count() for batch in components.batches.epoch(epoch))
        sweep = sweep_rates(
            components.network,
            endless,
            components.update,
            components.loss_fn,
            lr=wanted.optim.lr,
            microbatches=wanted.train.accumulate,
            set_mode=train_what_learns,
        )
    return replace(sweep, notes=(*adapted.notes, *remarks))
