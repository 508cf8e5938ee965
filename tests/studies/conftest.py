"""Studies that were never run: their accuracy follows a formula."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from assay.recipe.recipe import Recipe
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row

Truth = Callable[[Recipe], float]


def simulated(
    table: Mapping[str, Mapping[str, Any]],
    truth: Truth,
    *,
    seeds: Sequence[int] = (0, 1),
    noise: float = 0.0,
    control: str | None = None,
    draw: int = 0,
) -> StudyResults:
    """Rows of changes to the default recipe; a run gives its truth, an offset of its seed, and noise of its own."""
    generator = np.random.default_rng(draw)
    offsets = generator.normal(0, 3 * noise, len(seeds))
    rows = []
    for name, changes in table.items():
        recipe = Recipe().but(changes)
        accuracies = truth(recipe) + offsets + generator.normal(0, noise, len(seeds))
        results = [Result(seed, float(a), 1, 1, 1.0, 1.0) for seed, a in zip(seeds, accuracies, strict=True)]
        rows.append(RowResults(Row(name, changes), recipe, tuple(results)))
    setting = Setting("simulated", "", "", "", "full", "", "last", tuple(seeds), control)
    return StudyResults(setting, tuple(rows))


@pytest.fixture
def simulate() -> Callable[..., StudyResults]:
    """A function that makes a study's results from its rows and the truth."""
    return simulated
