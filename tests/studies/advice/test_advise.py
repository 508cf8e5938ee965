"""Advice, on studies whose truth is known."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from assay.recipe.recipe import Recipe
from assay.run.build import learning_rate
from assay.studies.advice.advise import Advice, advise
from assay.studies.advice.words import as_text
from assay.studies.named import STUDIES
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.training.losses import build_loss

Simulate = Callable[..., StudyResults]
DECAYS = {f"decay {decay:g}": {"optim.weight_decay": decay} for decay in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)}
TRICKS = {
    "plain": {},
    "flip": {"augment.flip": 0.5},
    "crop": {"augment.crop": 4},
    "lars": {"optim.name": "lars"},
}


def additive(recipe: Recipe) -> float:
    return 90 + 2 * recipe.augment.flip + recipe.augment.crop / 2 - (recipe.optim.name == "lars")


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_the_first_proposal_is_nearer_to_the_optimum_than_the_best_level(
    simulate: Simulate, seeds: tuple[int, ...]
) -> None:
    nearer = 0
    for draw in range(20):
        optimum = np.random.default_rng(100 + draw).uniform(-3.7, -3.3)

        def off(recipe: Recipe, optimum: float = optimum) -> float:
            return abs(math.log10(recipe.optim.weight_decay) - optimum)

        results = simulate(DECAYS, lambda r, off=off: 93 - 1.5 * off(r) ** 2, seeds=seeds, noise=0.1, draw=draw)
        advice = advise(results)
        best = next(row.recipe for row in results.rows if row.row.name == advice.best)
        nearer += off(advice.proposals[0].recipe) < off(best)
    assert nearer >= 17


def test_additive_gains_are_combined(simulate: Simulate) -> None:
    advice = advise(simulate(TRICKS, additive, noise=0.1, control="plain"))
    first = advice.proposals[0]
    assert (advice.reference, advice.best) == ("plain", "crop")
    assert first.changes == {"augment.flip": 0.5}
    assert first.recipe == Recipe().but({"augment.flip": 0.5, "augment.crop": 4})
    assert first.name == "augment.flip 0.5"
    assert first.guess.accuracy == pytest.approx(93, abs=0.5)
    assert first.guess.probability > 0.8


def test_proposals_are_untested_and_ordered_by_gain(simulate: Simulate) -> None:
    results = simulate(TRICKS, additive, noise=0.1)
    gains = [proposal.guess.gain for proposal in advise(results, most=99).proposals]
    assert gains == sorted(gains, reverse=True)
    assert len(advise(results, most=2).proposals) == 2
    tested = [row.recipe for row in results.rows]
    assert not any(proposal.recipe in tested for proposal in advise(results, most=99).proposals)


def test_changes_lead_from_the_best_row_to_the_proposal(simulate: Simulate) -> None:
    results = simulate(TRICKS, additive, noise=0.1)
    advice = advise(results, most=99)
    best = next(row.recipe for row in results.rows if row.row.name == advice.best)
    assert all(best.but(proposal.changes) == proposal.recipe for proposal in advice.proposals)


def test_the_same_results_give_the_same_advice(simulate: Simulate) -> None:
    results = simulate(TRICKS, additive, noise=0.3)
    np.random.seed(1)  # what draws from numpy's global state would differ
    first = advise(results)
    np.random.seed(2)
    assert advise(results) == first


def test_only_rows_with_results_on_the_test_split_count(simulate: Simulate) -> None:
    results = simulate(TRICKS, additive, noise=0.1)
    failed = replace(results.rows[3], results=(), failures={0: "diverged"})
    on_train = replace(results.rows[1], row=replace(results.rows[1].row, split="train"))
    advice = advise(replace(results, rows=(results.rows[0], on_train, results.rows[2], failed)))
    assert (advice.rows, advice.runs) == (2, 4)
    assert [effect.changes for effect in advice.effects.effects] == [{"augment.crop": 4}]
    assert not advice.proposals
    assert "at least 3 rows with results, and there are 2" in as_text(advice)


def test_a_failed_row_is_not_proposed(simulate: Simulate) -> None:
    results = simulate({**TRICKS, "both": {"augment.flip": 0.5, "augment.crop": 4}}, additive, noise=0.1)
    failed = replace(results.rows[4], results=(), failures={0: "diverged"})
    advice = advise(replace(results, rows=(*results.rows[:4], failed)), most=99)
    assert failed.recipe not in [proposal.recipe for proposal in advice.proposals]


def test_effects_count_from_the_control_and_without_it_from_the_first_row(simulate: Simulate) -> None:
    results = simulate(TRICKS, additive, control="crop")
    assert advise(results).reference == "crop"
    without = replace(results, rows=tuple(replace(r, results=()) if r.row.name == "crop" else r for r in results.rows))
    assert advise(without).reference == "plain"


def test_no_results_give_words_not_an_error(simulate: Simulate) -> None:
    results = simulate(TRICKS, additive)
    text = as_text(advise(replace(results, rows=tuple(replace(row, results=()) for row in results.rows))))
    assert "No proposals: no row has results on the test split yet." in text


def test_guesses_less_sure_than_the_rows_differ_are_none(simulate: Simulate) -> None:
    advice = advise(simulate(TRICKS, lambda _: 50.0))
    assert not advice.proposals
    assert advice.why_none == "every prediction is less certain than the range of the tested rows"


def test_no_guess_is_less_sure_than_the_rows_differ(simulate: Simulate) -> None:
    for draw in range(5):
        results = simulate(TRICKS, additive, seeds=(0,), noise=0.5, draw=draw)
        means = [row.results[0].accuracy for row in results.rows]
        proposals = advise(results, most=99).proposals
        assert all(proposal.guess.deviation <= max(means) - min(means) for proposal in proposals)


def test_more_settings_than_rows_give_no_proposals(simulate: Simulate) -> None:
    table = {**TRICKS, "tuned": {"optim.lr": 0.2, "optim.weight_decay": 1e-4, "train.batch_size": 64}}
    assert "the rows differ in 6 settings, and only 5 rows have results" in as_text(advise(simulate(table, additive)))
    assert advise(simulate({**table, "lr 0.3": {"optim.lr": 0.3}}, additive)).proposals


def made_up(name: str, accuracies: Callable[[int], float]) -> StudyResults:
    """A study's rows at its published setting, with two seeds of invented accuracies by their number."""
    study = STUDIES[name]
    rows = tuple(
        RowResults(row, study.recipe(row), tuple(Result(s, accuracies(n) + s / 10, 1, 1, 1.0, 1.0) for s in (0, 1)))
        for n, row in enumerate(study.rows)
    )
    return StudyResults(Setting(name, "", "", "", "full", "", "last", (0, 1), study.control), rows)


def check_buildable(advice: Advice) -> None:
    for proposal in advice.proposals:
        learning_rate(proposal.recipe)
        teacher = (lambda images: images) if "loss.teacher" in proposal.after else None
        build_loss(teacher=teacher, **proposal.recipe.loss.model_dump(exclude={"teacher"}))
        assert proposal.recipe.loss.teacher is None
        assert proposal.recipe.model.pretrained is None
        assert not {"loss.teacher", "loss.temperature", "model.pretrained"} & proposal.changes.keys()


@pytest.mark.parametrize("name", ["refinements", "models"])
@pytest.mark.parametrize("best", [1, 5, 6, 8])
def test_proposals_from_rows_with_runs_before_them_can_be_built(name: str, best: int) -> None:
    for others in (lambda n: 70 + n / 10, lambda n: 70 - n / 10):
        check_buildable(advise(made_up(name, lambda n, others=others: 75.0 if n == best else others(n)), most=99))


def test_the_models_differ_in_more_settings_than_there_are_rows() -> None:
    advice = advise(made_up("models", lambda n: 70 + n))
    assert not advice.proposals
    assert re.fullmatch(r"the rows differ in \d+ settings, and only 6 rows have results", advice.why_none)


@pytest.mark.parametrize("best", ["crop", "distilled"])
def test_no_proposal_adds_or_drops_a_teacher(simulate: Simulate, best: str) -> None:
    results = simulate(
        {**TRICKS, "distilled": {"loss.temperature": 4.0}},
        lambda recipe: additive(recipe) + (recipe.loss.temperature or 0) * (1 if best == "distilled" else 0.4),
        noise=0.1,
    )
    taught = replace(results.rows[-1], row=replace(results.rows[-1].row, after={"loss.teacher": Recipe()}))
    advice = advise(replace(results, rows=(*results.rows[:-1], taught)), most=99)
    assert advice.best == best
    assert advice.proposals
    check_buildable(advice)
    assert {tuple(proposal.after) for proposal in advice.proposals} == {
        ("loss.teacher",) if best == "distilled" else ()
    }


def test_the_best_rows_teacher_is_kept_and_told() -> None:
    advice = advise(made_up("refinements", lambda n: 70 + n / 2), most=99)
    assert advice.best == "D + cosine, smoothing, mixup, distillation"
    assert advice.proposals
    assert all(list(proposal.after) == ["loss.teacher"] for proposal in advice.proposals)
    assert all(proposal.recipe.loss.temperature == 20 for proposal in advice.proposals)
    assert "Changes to it, which keep its loss.teacher:" in as_text(advice)


def test_a_teacher_is_what_has_an_effect_not_its_temperature_alone() -> None:
    effects = advise(made_up("refinements", lambda n: 70 + n / 2)).effects.effects
    taught = [effect.changes for effect in effects if "loss.temperature" in effect.changes]
    assert taught == [{"loss.teacher": "a run of resnet152 on folder:imagenet", "loss.temperature": 20.0}]


def test_at_least_one_proposal_is_asked_for(simulate: Simulate) -> None:
    with pytest.raises(ValueError, match="most: 0 is not a whole number at least 1"):
        advise(simulate(TRICKS, additive), most=0)


def test_the_text(simulate: Simulate) -> None:
    text = as_text(advise(simulate(TRICKS, additive, seeds=(0, 1, 2), noise=0.01, control="plain"), most=2))
    lines = text.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert [row[0] for row in rows[:4]] == ["setting", "augment.flip 0.5", "augment.crop 4", "optim.name lars"]
    assert [row[0] for row in rows[4:6]] == ["change", "augment.flip 0.5"]
    assert len(rows) == 7
    assert rows[2][1] == "0"
    assert float(rows[2][2]) == pytest.approx(2, abs=0.05)
    assert rows[2][3].startswith("+1.9")
    assert rows[5][3].endswith("%")
    assert "100 %" not in text
    assert "guesses of a smooth model (a Gaussian process) from 4 rows" in text
    assert "run them before you believe them" in text


def test_the_text_says_what_cannot_be_known(simulate: Simulate) -> None:
    table = {**TRICKS, "adam": {"optim.name": "adam", "optim.lr": 0.001}}
    results = simulate(table, additive, seeds=(0,))
    text = as_text(advise(results))
    assert "optim.name adam + optim.lr 0.001" in text
    assert "cannot be told apart" in text
    assert "no intervals" in text
    assert "nan" not in text
    stranger = replace(results.rows[1], results=(replace(results.rows[1].results[0], seed=7),))
    text = as_text(advise(replace(results, rows=(results.rows[0], stranger, *results.rows[2:]))))
    assert "Cannot be told from the difference between seeds: augment.flip 0.5." in text
