"""Studies that were never run, whose accuracy follows a formula; and one Ray for all tests that need it."""

import gc
import signal
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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


_caches: list[Path] = []  # of the workers of the Ray that runs; empty while none does


@pytest.fixture
def local_ray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local Ray with two CPUs, for the tests of a group one after another; the cache folder of its workers."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    if not _caches:
        _caches.append(tmp_path_factory.mktemp("cache"))
        before = signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ASSAY_CACHE", str(_caches[0]))
            patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
            ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="warning")
        signal.signal(signal.SIGTERM, before)
    return _caches[0]


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop Ray after its group: even idle it takes a tenth of a core."""
    if _caches and not (nextitem and nextitem.get_closest_marker("xdist_group")):
        import ray

        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            ray.shutdown()
            gc.collect()  # Ray drops its processes without waiting for their ends
        _caches.clear()
