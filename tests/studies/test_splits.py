"""The parts of the variance: by hand, against statsmodels, and in a study of several splits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

import assay
from assay.base.statistics import images_deviation
from assay.recipe.recipe import Recipe
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.forms.words import footnotes
from assay.studies.named import STUDIES
from assay.studies.plan import plan_study
from assay.studies.results import Result, RowResults
from assay.studies.splits import check_splits, nested, over_images, parts_of_variance, with_splits
from assay.studies.study import Row
from in_line import run_in_line, write_study


def test_by_hand() -> None:
    """Means 2, 4 and 9; squares within 2 + 2 + 2 over 6 - 3 degrees of freedom; between 2 (9 + 1 + 16) over 2."""
    split, seed = nested([[1, 3], [3, 5], [8, 10]])
    assert seed.std == pytest.approx(math.sqrt(2))
    assert split.std == pytest.approx(math.sqrt((26 - 2) / 2))


def test_sizes_that_differ_by_hand() -> None:
    """Means 1.5 and 5; within 0.5 + 2 over 3; between 2 (3.6 - 1.5)^2 + 3 (5 - 3.6)^2 over 1; size (5 - 13 / 5) / 1."""
    split, seed = nested([[1, 2], [4, 5, 6]])
    assert seed.std == pytest.approx(math.sqrt(2.5 / 3))
    assert split.std == pytest.approx(math.sqrt((2 * 2.1**2 + 3 * 1.4**2 - 2.5 / 3) / 2.4))


@pytest.mark.parametrize("draw", range(3))
def test_estimates_are_those_of_a_mixed_model(draw: int) -> None:
    """Of equal sizes, restricted maximum likelihood gives the same (Searle, Casella & McCulloch 1992)."""
    generator = np.random.default_rng(draw)
    values = generator.normal(0, 2, (6, 1)) + generator.normal(0, 1, (6, 4))
    fit = sm.MixedLM(values.ravel(), np.ones(24), np.repeat(np.arange(6), 4)).fit(reml=True)
    split, seed = nested(list(values))
    assert split.std == pytest.approx(math.sqrt(float(np.asarray(fit.cov_re)[0, 0])), rel=1e-3)
    assert seed.std == pytest.approx(math.sqrt(fit.scale), rel=1e-3)


@pytest.mark.parametrize(("splits", "seeds", "std"), [(5, 3, 0.0), (5, 3, 1.0), (3, 3, 3.0), (10, 5, 0.5)])
def test_intervals_cover_the_truth(splits: int, seeds: int, std: float) -> None:
    generator = np.random.default_rng(splits)
    drawn = generator.normal(0, std, (400, splits, 1)) + generator.normal(0, 1, (400, splits, seeds))
    found = [nested(list(values)) for values in drawn]
    for share in (
        np.mean([one.low - 1e-9 <= std <= one.high for one, _ in found]),
        np.mean([one.low <= 1 <= one.high for _, one in found]),
    ):
        assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400) <= share <= 1


def test_single_runs_tell_nothing_of_the_split() -> None:
    split, seed = nested([[1.0], [2.0], [3.0]])
    assert math.isnan(split.std)
    assert math.isnan(seed.std)


def test_the_part_of_the_images_has_an_interval_that_covers_it() -> None:
    """Images that networks get right with probabilities from a beta distribution, whose variance is known: 1 / 12."""
    generator = np.random.default_rng(0)
    true, covered = 100 * math.sqrt(1 / 12 / 500), []
    for _ in range(60):
        chance = generator.uniform(size=500)
        answers = generator.uniform(size=(5, 500)) < chance
        part = over_images([answers])
        assert part.std == pytest.approx(100 * images_deviation(answers))
        covered.append(part.low <= true <= part.high)
    assert np.mean(covered) > 0.85


def row(name: str, split: int, *accuracies: float, lr: float = 0.1) -> RowResults:
    recipe = Recipe().but({"data.split_seed": split, "optim.lr": lr})
    return RowResults(Row(name), recipe, tuple(Result(seed, one) for seed, one in enumerate(accuracies)))


def test_rows_that_differ_in_the_split_alone_are_taken_together() -> None:
    rows = [
        *(
            row("fast, split 0", 0, 1, 3, lr=0.2),
            row("slow, split 0", 0, 50, 51),
            row("fast, split 1", 1, 3, 5, lr=0.2),
        ),
        *(row("fast, split 2", 2, 8, 10, lr=0.2), row("slow, split 1", 1), row("other", 0, 7, 8, lr=0.3)),
    ]
    (parts,) = parts_of_variance(rows)
    assert (parts.name, parts.splits) == ("fast", 3)
    assert parts.split.std == pytest.approx(math.sqrt(12))
    assert math.isnan(parts.images.std)


def test_a_studys_controls_are_run_on_several_splits() -> None:
    study = with_splits(STUDIES["stem"], 3)
    assert [row.name for row in study.rows] == [f"3x3, stride 1, split {split}" for split in range(3)]
    plan, own = (plan_study(one, budget="quick", seeds=(0, 1, 2)) for one in (study, STUDIES["stem"]))
    assert plan.jobs["3x3, stride 1, split 0"][0].key == own.jobs["3x3, stride 1"][0].key
    assert len({jobs[0].key for jobs in plan.jobs.values()}) == 3
    assert len(with_splits(STUDIES["bn-dropout"], 2).rows) == 10
    assert with_splits(STUDIES["tasks"], 2).rows[0].name == "20 coarse classes, split 0"


def test_what_a_study_of_splits_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^splits must be a whole number of at least 2, got 1$"):
        assay.run_study("stem", splits=1, out=tmp_path)
    with pytest.raises(
        ValueError, match=r"^control seeds: a study of splits compares no rows; give the number of seeds$"
    ):
        assay.run_study("stem", splits=2, control_seeds=5, out=tmp_path)
    with pytest.raises(ValueError, match="looks are for rows that are compared with a control, and it has none"):
        assay.run_study("stem", splits=2, looks=(3, 5), out=tmp_path)
    assert not any(tmp_path.iterdir())


def test_splits_that_are_all_one_are_refused() -> None:
    study = with_splits(STUDIES["models"], 2)
    check_splits(plan_study(study, budget="quick"))
    check_splits(plan_study(study, budget="full", selection="held-out"))
    with pytest.raises(ValueError, match=r"image of cifar10 is held out .* mean --protocol held-out\?$"):
        check_splits(plan_study(study, budget="full"))


def test_a_study_of_splits_is_run_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.studies.folder.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())
    file, out = write_study(tmp_path), tmp_path / "out"
    assay.run_study(file, seeds=2, splits=2, out=out, execute=run_in_line, progress=False)
    shown = assay.show_study("rates-splits", out=out)
    assert [line.name for line in shown.table.lines] == ["slow, split 0", "slow, split 1"]
    (note,) = (one for one in footnotes(shown.table) if one.startswith("Parts of the variance"))
    assert note.startswith("Parts of the variance of slow, from 2 splits of the images, as standard deviations")
    assert "What the split of the images adds" not in " ".join(footnotes(shown.table))

    def none_left(jobs: Sequence[Job], _store: Store, _watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        assert [job.recipe.optim.lr for job in jobs] == [0.01, 0.01]  # the control's are those of the split 0
        return iter(())

    assay.run_study(file, seeds=2, out=out, execute=none_left, progress=False)
    assert assay.show_study("rates", out=out).table.setting.study == "rates"
