"""The figures of an inspection; each says in its caption what is seen and how it is scaled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray
from torch import Tensor

from assay.analysis.figures.gallery import answer_words, show_picture
from assay.analysis.figures.mosaic import columns_for, show_mosaic
from assay.analysis.figures.style import captioned, open_frame, panels
from assay.analysis.figures.text import short
from assay.analysis.inspection.examples import Examples
from assay.analysis.inspection.receptive_field import ReceptiveField
from assay.analysis.inspection.weights import NEAR_ZERO, Distribution, Weights, all_layers, shared_bins, shares
from assay.base.palette import BLUE, DARK_GREY, GREY, ORANGE, RIGHT, WRONG
from assay.models.kernels import Kernels

_MOST_MAPS = 64  # filters or channels; smaller pictures could not be told apart
_MOST_LAYERS = 24  # of a deep network, evenly from all depths


def plot_kernels(kernels: Kernels, title: str) -> Figure:
    """Draw the first layer's kernels as a grid, at most 64 filters."""
    outputs, inputs, height, width = kernels.weights.shape
    pictures = kernels.pictures(_MOST_MAPS)
    shown = min(outputs, _MOST_MAPS)
    columns = columns_for(shown) * kernels.per_filter
    if kernels.coloured:
        how = "in colours: mid grey is the weight 0, more of a colour a positive weight, less a negative one"
    elif inputs == 1:
        how = "red where the weight is positive, blue where it is negative, white where it is 0"
    else:
        how = f"{kernels.per_filter} of {inputs} input channels side by side, red positive, blue negative"
    caption = (
        f"The {height}x{width} kernels of {kernels.layer}, {shown} of {outputs} filters, {how}. Each filter is "
        "scaled around 0 to its own largest weight, so that strengths cannot be compared between filters. "
        "A number at the left is that of its row's first filter."
    )
    figure = captioned(9, 8.6 * math.ceil(len(pictures) / columns) / columns, title, caption)
    style = {} if kernels.coloured else {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
    show_mosaic(figure.subplots(), pictures, per_picture=kernels.per_filter, **style)
    return figure


def plot_features(examples: Examples, classes: Sequence[str], layer: str, maps: Tensor, title: str) -> Figure:
    """Draw a layer's maps ``[N, C, H, W]`` beside each of N pictures; at most 64 channels."""
    count, channels, height, width = maps.shape
    shown = min(channels, _MOST_MAPS)
    columns = columns_for(shown)
    tall = 9 * math.ceil(shown / columns) / columns
    vector = height == width == 1
    said = f"each of the {channels} units as a bar."
    if not vector:
        said = (
            f"{shown} of {channels} maps of {height}x{width}. Each map is scaled from its own smallest value (dark) to "
            "its largest (bright); one that is the same everywhere is all dark. A number at the left is that of its "
            "row's first channel."
        )
    caption = f"What {layer} gives for the picture at the left, as the network sees it: {said}"
    # 1.9 inches hold a picture with its three lines of words.
    figure = captioned(11.5, count * max(1.9, 0.3 + (1.4 if vector else tall)), title, caption)
    grid = figure.subplots(count, 2, squeeze=False, width_ratios=[1, 5.5])
    for number, (left, right) in enumerate(grid):
        _show_example(left, examples, classes, number)
        channel_maps = maps[number].numpy()
        if vector:
            right.bar(range(channels), channel_maps[:, 0, 0], width=1, color=BLUE)
            right.tick_params(labelsize=7)
            open_frame(right, grid=False)
            right.margins(x=0.01)
        else:
            show_mosaic(right, _each_to_its_range(channel_maps[:shown]), cmap="viridis", vmin=0, vmax=1)
            flat = int((channel_maps.min(axis=(1, 2)) == channel_maps.max(axis=(1, 2))).sum())
            right.set_title(f"{flat} of {channels} channels are the same everywhere", fontsize=8, color=GREY)
    return figure


def plot_weights(models: Mapping[str, Weights], rows: Sequence[Distribution], title: str) -> Figure:
    """Draw the distribution of each layer's weights, of one or two models in the same axes; at most 24 layers."""
    layers = all_layers(models)
    # A set, because several of the places are equal where there are few layers.
    chosen = [layers[place] for place in sorted(set(np.linspace(0, len(layers) - 1, _MOST_LAYERS).round().astype(int)))]
    alone = [layer for layer in layers if any(layer not in weights for weights in models.values())]
    missing = f" {len(alone)} of them are in one of the models only." if alone else ""
    caption = (
        f"The weights of {len(chosen)} of {len(layers)} convolutions and linear layers: percent of a layer's weights "
        f"in each of 61 bins, on a logarithmic axis; the bins are the same for all models of a panel, and leave out "
        f"the outermost 0.1 %. Near 0 means a magnitude below {NEAR_ZERO:g}.{missing}"
    )
    figure, grid = panels(len(chosen), 4, (3.1, 2.3), title, caption)
    for axes in grid[:, 0]:
        axes.set_ylabel("% of the weights", fontsize=8)
    for axes, layer in zip(grid.flat, chosen, strict=False):
        _draw_weights(axes, layer, models, {row.model: row for row in rows if row.layer == layer})
    if len(models) > 1:
        handles = [Rectangle((0, 0), 1, 1, color=color, alpha=0.6) for color in (BLUE, ORANGE)]
        names = [short(name, 60, keep_end=True) for name in models]
        figure.legend(handles, names, loc="outside upper right", frameon=False, fontsize=9)
    return figure


def plot_activation_maps(
    examples: Examples, classes: Sequence[str], layer: str, answers: Tensor, labels: Tensor, title: str
) -> Figure:
    """Draw each picture under the class activation map of the answer, and of the label where the answer is wrong.

    The maps of ``layer`` for the N answers and for the N labels are ``[N, H, W]``, at least 0.
    """
    wrong = [label not in (None, answer) for label, answer in zip(examples.labels, examples.answers, strict=True)]
    columns = 3 if any(wrong) else 2
    caption = (
        f"Grad-CAM at {layer}: bright where the layer's maps speak for the named class, dark where nothing does. "
        "Each map is scaled to its own largest value and enlarged bilinearly over the picture in grey; a map "
        "without any evidence says so."
    )
    figure = captioned(2.4 * columns, 2.5 * len(wrong), title, caption)
    grid = figure.subplots(len(wrong), columns, squeeze=False)
    for number, line in enumerate(grid):
        for axes in line:
            axes.axis("off")
        _show_example(line[0], examples, classes, number)
        picture = examples.pictures[number]
        answer, label = examples.answers[number], examples.labels[number]
        _show_heat(line[1], picture, answers[number], f"for {short(classes[answer], 24)} (answer)")
        if label is not None and label != answer:
            _show_heat(line[2], picture, labels[number], f"for {short(classes[label], 24)} (label)")
    return figure


def plot_receptive_fields(fields: Sequence[ReceptiveField], images: int, title: str) -> Figure:
    """Draw the mean absolute gradient of each layer's middle unit as a heat map, a panel for each layer."""
    height, width = fields[0].strength.shape
    caption = (
        f"How strongly each pixel of the {width}x{height} input moves the unit in the middle of a layer's maps: "
        f"the mean absolute gradient over {images} image{'s' if images > 1 else ''}, relative to the largest, colours "
        "by its square root. The frame is the theoretical field. The effective side is that of a square as large as "
        "the area above 4.55 % of the largest (Luo et al. 2016)."
    )
    figure, grid = panels(len(fields), 5, (2.6, 3), title, caption)
    for axes, field in zip(grid.flat, fields, strict=False):
        axes.axis("off")
        # Without the square root the faint pixels around the centre would all be black.
        axes.imshow(np.sqrt(field.strength), cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        top, left, bottom, right = field.box
        # A pixel is centred on whole coordinates, so its edges lie at halves.
        corner, (tall, wide) = (left - 0.5, top - 0.5), (bottom - top, right - left)
        frame = Rectangle(corner, wide, tall, fill=False, color="#5ec8f2", linewidth=1.5)
        frame.set_clip_on(False)  # the frame of a field as large as the picture lies on the axes' edge
        axes.add_patch(frame)
        beyond = ", cut by the edge" if field.clipped else ""
        effect = f"effective side {field.effective:.1f}" if field.strength.any() else "the unit answers to no image"
        words = f"{short(field.layer, 30, keep_end=True)}\ntheoretical {wide}x{tall}{beyond}\n{effect}"
        axes.set_title(words, fontsize=9)
    return figure


def _show_example(axes: Axes, examples: Examples, classes: Sequence[str], number: int) -> None:
    answer, label = examples.answers[number], examples.labels[number]
    show_picture(axes, examples.pictures[number])
    name = short(examples.names[number], 24, keep_end=True)
    words = f"{name}\n{answer_words(classes[answer], examples.confidence[number], 24)}"
    if label is not None:
        words += f"\nlabel {short(classes[label], 24)}"
    axes.set_title(words, fontsize=8, color=DARK_GREY if label is None else RIGHT if label == answer else WRONG)


def _show_heat(axes: Axes, picture: NDArray[np.uint8], heat: Tensor, words: str) -> None:
    values = heat.cpu().numpy()
    grey = picture.mean(axis=-1, keepdims=True).astype(np.uint8)
    show_picture(axes, grey)
    if values.max() > 0:
        axes.imshow(values / values.max(), cmap="inferno", vmin=0, vmax=1, alpha=0.6, interpolation="nearest")
    else:
        words += "\nno evidence"
    axes.set_title(words, fontsize=8)


def _each_to_its_range(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    # A constant map has no range; divided by 1 it is all 0.
    scaled: NDArray[np.float32] = (maps - low) / np.where(high > low, high - low, np.float32(1))
    return scaled


def _draw_weights(axes: Axes, layer: str, models: Mapping[str, Weights], rows: Mapping[str, Distribution]) -> None:
    edges = shared_bins([models[model][layer] for model in rows])
    heights = {model: shares(models[model][layer], edges) for model in rows}
    # The axis is logarithmic, so an empty bin cannot set its lower end.
    top = 1.5 * max(float(height.max()) for height in heights.values())
    least = min(float(height[height > 0].min()) for height in heights.values())
    only = "" if len(rows) == len(models) else f" (only {short(next(iter(rows)), 14, keep_end=True)})"
    axes.set_title(f"{short(layer, 28, keep_end=True)}{only}", fontsize=9, pad=14)  # room for the models' words below
    axes.set(yscale="log", ylim=(min(least / 2, top / 20), top))  # more than a decade, so that there is a number on it
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(labelsize=7)
    open_frame(axes, grid=False)
    sides = (BLUE, 0, "left"), (ORANGE, 1, "right")
    for model, (color, x, side) in zip(models, sides, strict=False):
        if model in rows:
            axes.stairs(heights[model], edges, fill=True, alpha=0.45, color=color)
            axes.stairs(heights[model], edges, color=color, linewidth=1)
            words = f"std {rows[model].std:.3g}, {rows[model].near_zero:.0%} near 0"
            axes.text(x, 1.02, words, transform=axes.transAxes, ha=side, va="bottom", fontsize=7, color=color)
