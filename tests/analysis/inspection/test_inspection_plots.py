"""The figures: what they draw, and what their captions say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from assay.analysis.figures.style import save_figure
from assay.analysis.inspection import plots
from assay.analysis.inspection.examples import Examples
from assay.analysis.inspection.receptive_field import ReceptiveField
from assay.analysis.inspection.weights import distributions
from assay.models.kernels import Kernels


def words(figure: Figure) -> str:
    figure.canvas.draw()
    axes = [text for one in figure.axes for text in (one.title, *one.texts)]
    above_and_below = [text for text in (figure._suptitle, figure._supxlabel) if text is not None]
    return " ".join(" ".join(text.get_text().split()) for text in [*above_and_below, *axes])


def examples(labels: tuple[int | None, ...] = (1, 0)) -> Examples:
    inputs = torch.zeros(2, 1, 8, 8)
    return Examples(("a.png", "b.png"), inputs, np.zeros((2, 8, 8, 1), np.uint8), (0, 0), (0.9, 0.6), labels)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((70, 3, 7, 7), ["7x7 kernels of conv1, 64 of 70 filters, in colours", "mid grey is the weight 0"]),
        ((4, 1, 5, 5), ["4 of 4 filters, red where the weight is positive"]),
        ((4, 9, 3, 3), ["4 of 9 input channels side by side"]),
    ],
)
def test_kernels_say_how_many_and_how_they_are_scaled(shape: tuple[int, ...], said: list[str]) -> None:
    figure = plots.plot_kernels(Kernels("conv1", np.ones(shape, np.float32)), "costs $5")
    text = words(figure)
    assert all(part in text for part in [*said, r"costs \$5", "scaled around 0 to its own largest weight"])


def test_features_count_the_dead_and_show_the_picture() -> None:
    maps = torch.zeros(2, 5, 4, 4)
    maps[0, 1:3, 0, 0] = 1
    figure = plots.plot_features(examples(), ["cat", "dog"], "layer", maps, "title")
    text = words(figure)
    assert "5 of 5 maps of 4x4" in text
    assert "3 of 5 channels are the same everywhere" in text
    assert "5 of 5 channels are the same everywhere" in text
    assert "cat? 90 % label dog" in text
    assert len(figure.axes) == 4


def test_a_vector_is_drawn_as_bars() -> None:
    figure = plots.plot_features(examples(), ["cat", "dog"], "fc", torch.ones(2, 12, 1, 1), "title")
    assert "each of the 12 units as a bar" in words(figure)
    assert len(figure.axes[1].patches) == 12


def test_weights_of_two_models_share_axes_and_say_which_layer_is_alone() -> None:
    rng = np.random.default_rng(0)
    one = {"a": rng.normal(size=500).astype(np.float32), "b": rng.normal(size=50).astype(np.float32)}
    two = {"a": np.zeros(500, np.float32)}
    models = {"plain": one, "decayed": two}
    figure = plots.plot_weights(models, distributions(models), "title")
    text = words(figure)
    assert "2 of 2 convolutions and linear layers" in text
    assert "1 of them are in one of the models only" in text
    assert "b (only plain)" in text
    assert "std 0, 100% near 0" in text
    assert [len(axes.patches) for axes in figure.axes[:2]] == [4, 2]  # filled and outlined
    assert [item.get_text() for item in figure.legends[0].get_texts()] == ["plain", "decayed"]


def test_of_many_layers_some_from_all_depths_are_drawn() -> None:
    weights = {f"layer{number}": np.ones(4, np.float32) for number in range(100)}
    figure = plots.plot_weights({"model": weights}, distributions({"model": weights}), "title")
    text = words(figure)
    assert "24 of 100 convolutions" in text
    assert "layer0 " in text
    assert "layer99" in text


def test_activation_maps_show_the_label_only_where_the_answer_is_wrong() -> None:
    heat = torch.zeros(2, 8, 8)
    heat[0, 0, 0] = 2
    figure = plots.plot_activation_maps(examples(), ["cat", "dog"], "layer4", heat, heat, "title")
    text = words(figure)
    assert text.count("(answer)") == 2
    assert text.count("for dog (label)") == 1
    assert text.count("no evidence") == 1
    assert "Grad-CAM at layer4" in text
    unknown = plots.plot_activation_maps(examples((None, None)), ["cat", "dog"], "layer4", heat, heat, "title")
    assert len(unknown.axes) == 4


def test_receptive_fields_state_both_sizes() -> None:
    strength = np.zeros((32, 32))
    strength[10:14, 10:14] = 1
    fields = [ReceptiveField("near", strength, (8, 8, 17, 17)), ReceptiveField("dead", 0 * strength, (0, 0, 32, 32))]
    text = words(plots.plot_receptive_fields(fields, 1, "title"))
    assert "near theoretical 9x9 effective side 4.0" in text
    assert "dead theoretical 32x32, cut by the edge the unit answers to no image" in text
    assert "over 1 image," in text


def test_names_that_are_no_text_are_drawn_and_written(tmp_path: Path) -> None:
    name = "caf\udce9\n$x"
    odd = replace(examples(), names=(name, name))
    figures = [
        plots.plot_kernels(Kernels("conv1", np.ones((4, 3, 7, 7), np.float32)), name),
        plots.plot_features(odd, [name, "dog"], "layer", torch.zeros(2, 5, 4, 4), name),
        plots.plot_activation_maps(odd, [name, "dog"], "layer", torch.ones(2, 4, 4), torch.ones(2, 4, 4), name),
    ]
    for figure in figures:
        assert "caf\\udce9 \\$x" in words(figure)
        for kind in ("png", "svg"):
            save_figure(figure, tmp_path / f"figure.{kind}")
