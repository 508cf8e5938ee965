"""The figure of a benchmark."""

from __future__ import annotations

from matplotlib.figure import Figure

from assay.analysis.figures.style import open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import BLUE, ORANGE
from assay.run.benchmark.bench import Bench


def plot_bench(bench: Bench) -> Figure:
    """Draw the share of the best convolution's speed that each network's steps reach, here and in the plain loop."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    names = [steps.recipe for steps in bench.steps]
    shares = [100 * bench.share(steps) for steps in bench.steps]
    plain_shares = [share * steps.seconds / steps.plain for share, steps in zip(shares, bench.steps, strict=True)]
    places = range(len(names))
    axes.barh([place - 0.2 for place in places], shares, height=0.38, color=BLUE, label="assay")
    axes.barh([place + 0.2 for place in places], plain_shares, height=0.38, color=ORANGE, label="plain loop")
    axes.set(yticks=list(places), yticklabels=names, xlabel="% of the best fp32 convolution")
    axes.set_title(plain(f"{bench.machine['processor']}, threads: {bench.machine['threads']}"))
    axes.invert_yaxis()
    open_frame(axes)
    axes.legend(frameon=False)
    return figure
