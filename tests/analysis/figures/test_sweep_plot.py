"""The figure of a sweep says what the sweep says."""

import numpy as np
import pytest

from assay.analysis.figures.style import save_figure
from assay.analysis.figures.sweep_plot import plot_sweep
from assay.training.lr_finder import Sweep


@pytest.fixture
def sweep() -> Sweep:
    rates = tuple(np.geomspace(1e-7, 10, 30).tolist())
    smoothed = tuple([2.3] * 10 + np.linspace(2.2, 0.5, 15).tolist() + [0.6, 0.9, 1.5, 4.0, 70.0])
    return Sweep(rates, tuple(value * 1.1 for value in smoothed), smoothed)


def test_lines_and_marks(sweep: Sweep) -> None:
    axes = plot_sweep(sweep, "costs $5").axes[0]
    single, smooth, steepest, tenth = axes.lines
    assert tuple(single.get_ydata()) == sweep.losses
    assert tuple(smooth.get_xdata()) == sweep.rates
    assert tuple(smooth.get_ydata()) == sweep.smoothed
    assert steepest.get_xdata()[0] == sweep.steepest
    assert tenth.get_xdata()[0] == sweep.tenth
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[1] < 5  # the last losses do not flatten the rest
    assert axes.get_title() == r"costs \$5"


@pytest.mark.parametrize("length", [1, 2, 30])
def test_it_can_be_drawn(sweep: Sweep, length: int, tmp_path) -> None:
    cut = Sweep(*(values[:length] for values in (sweep.rates, sweep.losses, sweep.smoothed)))
    save_figure(plot_sweep(cut), tmp_path / "sweep.svg")
    assert (tmp_path / "sweep.svg").read_bytes().startswith(b"<?xml")
