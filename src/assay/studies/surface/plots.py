"""The measures of the loss's surface as bands, in the form of the published figures: one network's over another's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from assay.analysis.figures.style import captioned, open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import BLUE, GREEN, PURPLE, RED
from assay.run.probing.traces import Traces
from assay.studies.forms.words import in_short
from assay.studies.results import Setting
from assay.studies.surface.measures import Floats, smoothness
from assay.studies.surface.networks import Network

_COLORS = (RED, BLUE, GREEN, PURPLE)
_WINDOWS = 100  # single steps are too noisy to draw, so means over windows are: so many over the training
Edges = tuple[Floats, Floats]

_ALONG: dict[str, Callable[[Traces], Edges]] = {
    "loss along the\ngradient (nats)": lambda run: (run.surface.min(axis=1), run.surface.max(axis=1)),
    "change of the\ngradient (l2)": lambda run: (run.changes.min(axis=1), run.changes.max(axis=1)),
    "effective\nbeta-smoothness": lambda run: (smoothness(run), smoothness(run)),
}
_BANDS: dict[str, Callable[[Traces], Floats]] = {
    "training loss (nats)": lambda run: run.losses,
    "successive output-layer\ngradients (l2 distance)": lambda run: run.output_gradient_changes,
}


def plot_along_gradient(networks: Sequence[Network], setting: Setting) -> Figure:
    """Draw the paper's measures at each learning rate: the range over the distances moved, averaged over seeds.

    Santurkar et al. 2018, figure 4. A dotted outline marks a network that learned nothing.
    """
    rates = sorted({rate for network in networks for runs in network.runs.values() for rate in runs})
    caption = (
        "bands: from the smallest to the largest value over the distances moved; their edges are means over seeds; "
        f"dotted: with some seed the network learned nothing; {in_short(setting)}"
    )
    figure = captioned(
        max(2.9 * len(rates) + 1, 8), 7.2, f"{setting.study}: along the gradient of single steps", caption
    )
    grid = figure.subplots(len(_ALONG), len(rates), squeeze=False, sharex=True, sharey="row")
    for line, (label, edges) in zip(grid, _ALONG.items(), strict=True):
        line[0].set_ylabel(label)
        for axes, rate in zip(line, rates, strict=True):
            for network, color in zip(networks, cycle(_COLORS), strict=False):
                _draw_run(axes, network, rate, edges, color)
            open_frame(axes)
        _to_logarithms(line[0])  # the others of its line share the axis
    for axes, rate in zip(grid[0], rates, strict=True):
        axes.set_title(f"learning rate {rate:g}", fontsize=10)
    for axes in grid[-1]:
        axes.set_xlabel("step")
    _legend(figure, networks)
    return figure


def plot_over_rates(networks: Sequence[Network], setting: Setting) -> Figure:
    """Draw the report's measures: at each step the band from the smallest to the largest value over the learning rates.

    A seed's edges are averaged over windows of a hundredth of the training, and then over the seeds.
    """
    caption = (
        "bands: from the smallest to the largest value over the learning rates that all networks finished with the "
        f"seed; their edges are means over seeds; {in_short(setting)}"
    )
    figure = captioned(12, 4.6, f"{setting.study}: bands over the runs at several learning rates", caption)
    for axes, (label, course) in zip(figure.subplots(1, len(_BANDS)), _BANDS.items(), strict=True):
        for network, color in zip(networks, cycle(_COLORS), strict=False):
            courses = [[course(run) for run in runs] for runs in _at_shared_rates(network, networks)]
            if not courses:
                continue
            shortest = min(len(one) for runs in courses for one in runs)
            steps, low, high = _mean_edges([_over_rates(runs, shortest) for runs in courses])
            axes.fill_between(steps, low, high, color=color, alpha=0.35)
            axes.plot(steps, low, color=color, linewidth=0.8)
            axes.plot(steps, high, color=color, linewidth=0.8)
        axes.set(xlabel="step", ylabel=label)
        open_frame(axes)
    _to_logarithms(figure.axes[1])
    _legend(figure, networks)
    return figure


def _to_logarithms(axes: Axes) -> None:
    """Use a logarithmic axis if any value is above 0: a network that learns nothing may have gradients of exactly 0."""
    values = [np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines]
    if any((value > 0).any() for value in values):
        axes.set_yscale("log")


def _draw_run(axes: Axes, network: Network, rate: float, edges: Callable[[Traces], Edges], color: str) -> None:
    probed = [runs[rate] for runs in network.runs.values() if rate in runs]
    if not probed:
        return
    steps, low, high = _mean_edges([(run.traces.looks, *edges(run.traces)) for run in probed])
    axes.fill_between(steps, low, high, color=color, alpha=0.35)
    style = "-" if all(run.has_learned for run in probed) else ":"
    for edge in (low, high):
        axes.plot(steps, edge, color=color, linewidth=1, linestyle=style)


def _at_shared_rates(network: Network, networks: Sequence[Network]) -> list[list[Traces]]:
    """Return the network's runs of each seed, at the learning rates that all networks with that seed have."""
    found = []
    for seed, runs in network.runs.items():
        # With more rates the one network's band would be wider for that reason alone.
        rates = set.intersection(*(set(other.runs[seed]) for other in networks if seed in other.runs))
        found.append([runs[rate].traces for rate in sorted(rates)])
    return [traces for traces in found if traces]


def _over_rates(courses: Sequence[Floats], shortest: int) -> tuple[Floats, Floats, Floats]:
    """Return each window's middle step, and its means of the smallest and the largest value over the courses."""
    values = np.stack([course[:shortest] for course in courses])
    windows = np.array_split(np.arange(shortest), min(_WINDOWS, shortest))
    steps = np.array([window.mean() + 1 for window in windows])
    low, high = (
        np.array([np.nanmean(edge[window]) if np.isfinite(edge[window]).any() else np.nan for window in windows])
        for edge in (values.min(axis=0), values.max(axis=0))
    )
    return steps, low, high


def _mean_edges(edges: Sequence[tuple[Floats, Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
    shortest = min(len(steps) for steps, _, _ in edges)
    low, high = (np.mean([run[place][:shortest] for run in edges], axis=0) for place in (1, 2))
    return edges[0][0][:shortest], low, high


def _legend(figure: Figure, networks: Sequence[Network]) -> None:
    entries = [
        Patch(color=color, alpha=0.5, label=plain(net.name))
        for net, color in zip(networks, cycle(_COLORS), strict=False)
    ]
    figure.legend(handles=entries, loc="outside upper right", frameon=False, fontsize=9)
