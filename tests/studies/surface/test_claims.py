"""Claims on the loss's surface, from traces whose truth is known."""

import csv
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from assay.analysis.figures.style import save_figure
from assay.run.probing.traces import Traces
from assay.studies.results import Setting
from assay.studies.study import common_name
from assay.studies.surface.claims import Claim, judge
from assay.studies.surface.measures import MEASURES
from assay.studies.surface.networks import Network, Probed
from assay.studies.surface.plots import plot_along_gradient, plot_over_rates
from assay.studies.surface.words import as_csv, as_markdown, as_rich

STEPS, LOOKS = 40, 8
RATES = (0.1, 0.2)
SETTING = Setting("bands", "Smoother?", "", "", "quick", "a few steps", "last", (0, 1, 2), None)


def traces(scale: float, *, loss: float = 2.0, slope: float = 0.0) -> Traces:
    """Every measure is ``scale`` times a known number; losses fall by ``slope`` from the first step to the last."""
    changes = scale * np.tile([[1.0, 3.0]], (LOOKS, 1))
    return Traces(
        losses=loss - slope * np.arange(STEPS) / (STEPS - 1),
        output_gradient_changes=np.r_[math.nan, np.full(STEPS - 1, scale)],
        looks=np.arange(0.0, STEPS, STEPS // LOOKS),
        distances=np.tile([[0.5, 2.0]], (LOOKS, 1)),
        surface=scale * np.tile([[1.0, 1.5]], (LOOKS, 1)),
        changes=changes,
        output_changes=changes / 10,
        cosines=1 - scale * np.tile([[0.01, 0.03]], (LOOKS, 1)),
        gradients=np.ones(LOOKS),
        own_steps=np.full(LOOKS, 0.5),
        rates=np.full(LOOKS, 0.1),
    )


def network(name: str, scales: dict[int, float], *, learned: bool = True, band: float = 0.0) -> Network:
    runs = {
        seed: {rate: Probed(traces(scale, loss=2 + band * rate), learned) for rate in RATES}
        for seed, scale in scales.items()
    }
    return Network(name, runs)


PLAIN = network("plain", {0: 10.0, 1: 11.0, 2: 9.0}, band=10)
NORMS = network("norms", {0: 1.0, 1: 1.21, 2: 0.81}, band=1)


def claim(claims: list[Claim], measure: str, compared: str = "norms / plain") -> Claim:
    return next(one for one in claims if one.measure == measure and one.compared.startswith(compared))


def test_ratios_are_geometric_means_over_seeds_with_their_interval() -> None:
    """Of the scales: 0.1, 0.11 and 0.09."""
    found = claim(judge([PLAIN, NORMS]), "change of the gradient along it")
    logs = np.log([0.1, 0.11, 0.09])
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert (found.low, found.high) == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)))
    assert (found.value, found.reference) == (pytest.approx(3 * 3.02 / 3), pytest.approx(3 * 30 / 3))
    assert found.seeds == 3
    assert found.verdict == "far smaller"


def test_each_measure_is_what_it_says() -> None:
    """Scale 1 by hand: changes 1 and 3 over distances 0.5 and 2; losses 1 and 1.5 along the gradient."""
    runs = [traces(1.0, loss=2.0), traces(1.0, loss=5.0)]
    values = {(one.name, one.claim): np.nanmean(one.course(runs)) for one in MEASURES}
    assert list(values.values()) == pytest.approx([3.5, 3.0, 0.5, 1.0, 3.0, 3.0, 0.03, 0.3, 1.0, 2.0, 0.2])


def test_bands_are_over_the_rates() -> None:
    found = claim(judge([PLAIN, NORMS]), "band of the training loss over rates")
    assert (found.value, found.reference) == (pytest.approx(0.1), pytest.approx(1.0))


def test_families_are_corrected_apart() -> None:
    claims = judge([PLAIN, NORMS])
    between = [one for one in claims if " / plain" in one.compared]
    within = [one for one in claims if "second half" in one.compared]
    assert (len(between), len(within)) == (len(MEASURES), 2 * len(MEASURES))
    logs = np.log([0.1, 0.11, 0.09])
    p = stats.ttest_1samp(logs, 0).pvalue
    constant = 2  # training loss and its band differ by the same ratio in every seed, so their p is 0
    tied = claim(claims, "change of the output layer's gradient").p  # with the others, which follow the scales alone
    assert tied == pytest.approx((len(MEASURES) - constant) * p)


def test_what_rises_is_opposite_and_what_is_the_same_cannot_be_told() -> None:
    assert claim(judge([NORMS, PLAIN]), "change of the gradient along it", "plain / norms").verdict == "opposite"
    same = judge([PLAIN, network("twin", {0: 10.3, 1: 10.8, 2: 9.0}, band=10)])
    assert claim(same, "change of the gradient along it", "twin / plain").verdict == "cannot be told"


def test_one_seed_claims_nothing() -> None:
    claims = judge([network("plain", {0: 10.0}), network("norms", {0: 1.0})])
    found = claim(claims, "change of the gradient along it")
    assert found.ratio == pytest.approx(0.1)
    assert math.isnan(found.low)
    assert found.verdict == "cannot be told"


def test_falling_losses_are_seen() -> None:
    falling = {seed: {0.1: Probed(traces(1.0, slope=1.5 + seed / 100), True)} for seed in range(4)}
    found = claim(judge([Network("net", falling)]), "training loss, mean over rates", "net: second half")
    assert found.verdict == "smaller"


def test_a_network_on_a_plateau_is_not_called_smooth() -> None:
    stuck = network("stuck", {0: 1e-9, 1: 1e-9, 2: 1e-9}, learned=False)
    claims = judge([stuck, NORMS])
    compared = {one.form for one in claims if one.compared.startswith("norms / stuck")}
    assert compared == {"report"}


def test_the_words_hold_every_claim() -> None:
    claims = judge([PLAIN, NORMS])
    text = as_markdown(claims, SETTING)
    assert text.count("| far smaller") == sum(one.verdict == "far smaller" for one in claims) > 0
    assert "quick: a few steps" in text
    rows = list(csv.DictReader(as_csv(claims, SETTING).splitlines()))
    assert [float(row["ratio"]) for row in rows] == [one.ratio for one in claims]
    assert as_rich(claims).row_count == len(claims)


def test_the_figures_show_both_networks_at_each_rate() -> None:
    along = plot_along_gradient([PLAIN, NORMS], SETTING)
    assert len(along.axes) == 3 * len(RATES)
    band = along.axes[0].collections[1].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(1.0066667)  # of the norms: the mean over seeds of the smaller loss
    assert band[:, 1].max() == pytest.approx(1.51)
    over = plot_over_rates([PLAIN, NORMS], SETTING)
    assert [len(axes.collections) for axes in over.axes] == [2, 2]
    edges = over.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (pytest.approx(3.0), pytest.approx(4.0))


def test_networks_whose_gradients_are_zero_are_drawn(tmp_path: Path) -> None:
    dead = network("dead", {0: 0.0}, learned=False)
    for number, figure in enumerate((plot_along_gradient([dead], SETTING), plot_over_rates([dead], SETTING))):
        save_figure(figure, tmp_path / f"{number}.png")
    assert judge([dead]) != []


def test_rows_of_a_network_are_known_by_what_their_names_share() -> None:
    assert common_name(["VGG-A, lr 0.001", "VGG-A, lr 0.002"]) == "VGG-A"
    assert common_name(["only"]) == "only"
    assert common_name(["slow", "fast"]) == "slow"
    assert common_name(["lr 0.01, cutout 0", "lr 0.02, cutout 0"]) == "cutout 0"
    assert common_name(["cutout 0, lr 1, flip 0.5", "cutout 0, lr 2, flip 0.5"]) == "cutout 0, flip 0.5"


def test_a_network_that_stopped_early_is_compared_over_the_same_steps() -> None:
    whole = traces(1.0, slope=1.0)
    growing = replace(whole, changes=whole.changes * np.arange(1, LOOKS + 1)[:, None])
    half = Traces(**{field.name: getattr(growing, field.name)[: _half(field.name)] for field in fields(Traces)})
    networks = [
        Network(name, {seed: {0.1: Probed(run, True)} for seed in (0, 1)})
        for name, run in (("plain", growing), ("norms", half))
    ]
    for name in ("change of the gradient along it", "training loss, mean over rates"):
        assert claim(judge(networks), name).ratio == pytest.approx(1.0)


def test_measures_that_are_free_of_the_weights_scale() -> None:
    """Twice as large weights have half as large gradients and changes, and steps that are twice as long."""
    scaled = replace(traces(1.0), changes=traces(1.0).changes / 2, gradients=np.full(LOOKS, 0.5))
    networks = [
        Network(name, {seed: {0.1: Probed(run, True)} for seed in (0, 1)})
        for name, run in (("plain", traces(1.0)), ("norms", scaled))
    ]
    ratios = {
        name: claim(judge(networks), name).ratio
        for name in (
            "change of the gradient along it",
            "change of the gradient relative to it",
            "turn of the gradient (1 - cosine)",
        )
    }
    assert [*ratios.values()] == pytest.approx([0.5, 1.0, 1.0])


def _half(field: str) -> int:
    return (STEPS if field in ("losses", "output_gradient_changes") else LOOKS) // 2


def test_bands_are_drawn_over_the_rates_that_all_networks_have() -> None:
    lost = Network("lost", {seed: {0.1: runs[0.1]} for seed, runs in PLAIN.runs.items()})
    alone, beside = (plot_over_rates(networks, SETTING) for networks in ([PLAIN], [PLAIN, lost]))
    heights = [np.ptp(figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]) for figure in (alone, beside)]
    assert heights == pytest.approx([1.0, 0.0], abs=1e-9)


def test_a_dollar_in_a_name_is_no_formula(tmp_path: Path) -> None:
    odd = Network(r"a $\\nonsense{ b$", PLAIN.runs)
    for number, figure in enumerate((plot_along_gradient([odd], SETTING), plot_over_rates([odd], SETTING))):
        save_figure(figure, tmp_path / f"{number}.png")
