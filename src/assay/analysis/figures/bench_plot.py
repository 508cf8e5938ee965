"""The figure of a benchmark."""

from __future__ import annotations

from matplotlib.figure import Figure

from assay.analysis.figures.style import open_frame
from assay.analysis.figures.text import plain
from assay.base.palette import SERIES
from assay.run.benchmark.bench import Bench


def plot_bench(bench: Bench) -> Figure:
    """Draw the share of the best float32 convolution's speed that each network's steps reach, here and elsewhere."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    kinds = [kind for kind in bench.steps[0].ours if kind != "fp32"]
    bars = [(f"assay, {kind}", [steps.ours[kind] for steps in bench.steps]) for kind in (*kinds, "fp32")]
    bars += [("plain loop", [steps.plain for steps in bench.steps])]
    bars += [("plain loop, images in memory", [steps.held for steps in bench.steps])]
    height = 0.8 / len(bars)
    for number, (label, costs) in enumerate(bars):
        shares = [100 * bench.share(steps, cost.seconds) for steps, cost in zip(bench.steps, costs, strict=True)]
        places = [place + height * (number - (len(bars) - 1) / 2) for place in range(len(shares))]
        axes.barh(places, shares, height=0.9 * height, color=SERIES[number], label=label)
    names = [steps.recipe for steps in bench.steps]
    axes.set(yticks=list(range(len(names))), yticklabels=names, xlabel="% of the best fp32 convolution")
    axes.set_title(plain(f"{bench.machine['processor']}, threads: {bench.machine['threads']}"))
    axes.invert_yaxis()
    open_frame(axes)
    axes.legend(frameon=False)
    return figure
