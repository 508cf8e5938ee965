"""The lengths in a recipe, counted in epochs or steps, as shares of the run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from assay.recipe.sections import Sections
from assay.training.schedule import SCHEDULES
from assay.training.transfer import FREEZES

_FRACTIONAL = ("schedule.warmup", "schedule.every", "schedule.period", "schedule.milestones")
_WHOLE = ("transfer.unfreeze_after", "transfer.unfreeze_every", "train.stop_after")


def scaled_lengths(recipe: Sections, ratio: float) -> dict[str, Any]:
    """The lengths of a recipe whose run becomes ``ratio`` times as long, so that each keeps its share of it.

    Args:
        recipe: has a schedule, with a warmup perhaps, a way to unfreeze layers, and perhaps an average of the weights.
        ratio: new epochs over old ones, above 0.

    Returns:
        By dotted name: warmup, steps, periods and milestones of the schedule in fractions of an epoch; when layers
        join the training or the run stops in whole epochs, at least 1; and the decay of the weights' average, which
        is over 1 / (1 - decay) steps, at least 2. What the recipe leaves to a default counts with that. Empty for a
        ratio of 1.
    """
    if ratio == 1:
        return {}
    fractional = {name: value for name in _FRACTIONAL if (value := _length(recipe, name))}
    whole = {name: value for name in _WHOLE if (value := _length(recipe, name))}
    decay = recipe.train.ema
    return {
        **{name: _scaled(value, ratio) for name, value in fractional.items()},
        **{name: max(1, round(ratio * value)) for name, value in whole.items()},
        **({} if decay is None else {"train.ema": 1 - 1 / max(2.0, _scaled(1 / (1 - decay), ratio))}),
    }


def _length(recipe: Sections, name: str) -> Any:
    """The field's value, or else the default of what the recipe has chosen; None where that has no such option."""
    given = recipe.get(name)
    return _default(name.rpartition(".")[2], _chosen(recipe, name)) if given is None else given


def _chosen(recipe: Sections, name: str) -> Callable[..., Any]:
    return SCHEDULES[recipe.schedule.name] if name.startswith("schedule.") else FREEZES[recipe.transfer.freeze]


def _default(option: str, constructor: Callable[..., Any]) -> Any:
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(constructor).parameters
    default = parameters[option].default if option in parameters else None
    return None if default is inspect.Parameter.empty else default


def _scaled(value: Any, ratio: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_scaled(part, ratio) for part in value)
    return float(f"{ratio * value:.12g}")  # 1.2 of 6 epochs is 0.2 of one, and not 0.19999999999999998
