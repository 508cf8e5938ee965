"""A run that is killed with SIGKILL on its way, and resumed, ends as an undisturbed one."""

import signal
from pathlib import Path

import pytest

from assay.recipe.recipe import Recipe
from assay.run.record import RunRecord
from killing import Warm, is_midway, kills_of

pytestmark = pytest.mark.xdist_group("processes")  # one worker starts the warm ones
RECIPE = Recipe().but(
    {
        "data.size": 16,
        "augment.crop": 1,
        "model.name": "resnet18",
        "model.width": 0.125,
        "model.dropout": 0.2,
        "train.epochs": 3,
        "train.batch_size": 128,
        "train.threads": 1,
        "train.checkpoint_minutes": 0.0,  # at every step, so that a kill at a write falls into that of a checkpoint
    }
)
KILLS = ("step 1", "step 5", "write 3", "write 20", "step 8", "write 2")


@pytest.mark.slow
def test_killed_runs_end_as_undisturbed_ones(warm_runs: Warm, tmp_path: Path) -> None:
    assert warm_runs.do(tmp_path / "undisturbed", RECIPE) == 0
    folder = tmp_path / "killed"
    kills_of(folder).write_text("\n".join(KILLS))
    for _ in KILLS:
        assert warm_runs.do(folder, RECIPE) == -signal.SIGKILL
        assert is_midway(folder)
    assert warm_runs.do(folder, RECIPE) == 0
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (folder / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert len(RunRecord.read(folder).timings) == 3
