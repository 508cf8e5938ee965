"""What a classifier has learned: the function behind ``assay inspect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from assay.analysis.inspection import plots
from assay.analysis.inspection.activation_map import class_activation_maps
from assay.analysis.inspection.examples import MOST, Examples, answer, from_evaluation, from_files, take
from assay.analysis.inspection.features import feature_maps
from assay.analysis.inspection.layers import LayerCost, layer_costs
from assay.analysis.inspection.receptive_field import receptive_fields
from assay.analysis.inspection.trace import find_layers, first_block, stages, trace
from assay.analysis.inspection.weights import Distribution, distributions, layer_weights
from assay.analysis.output import FORMATS, check_output, write_output
from assay.base.device import pick_device
from assay.classifier.classifier import Classifier, load, model_path, ready
from assay.classifier.input_comparison import InputField, compare_input
from assay.classifier.split_request import SplitRequest
from assay.data.images import BadImageError
from assay.models.kernels import first_kernels

MISTAKES = 3
_IMAGES_OF_FIELDS = 32  # enough for a smooth mean of gradients


@dataclass(frozen=True)
class Inspection:
    """What an inspection has found and written.

    Attributes:
        folder: that holds the files.
        files: that were written, in order.
        layers: what each layer costs.
        weights: how each layer's weights are distributed, of one or two models.
        left_out: images of the set that could not be decoded, where these were to be skipped.
        inputs: the input that the pretrained weights were trained on beside the one of the model; empty if it began
            without such weights, or if that is not known.
    """

    folder: Path
    files: tuple[Path, ...]
    layers: tuple[LayerCost, ...]
    weights: tuple[Distribution, ...]
    left_out: tuple[BadImageError, ...] = ()
    inputs: tuple[InputField, ...] = ()


def inspect(
    model: str | Path | Classifier,
    *,
    against: str | Path | Classifier | None = None,
    images: Sequence[str | Path] = (),
    layers: Sequence[str] = (),
    mistakes: int | None = None,
    data: SplitRequest | str | None = None,
    out: str | Path | None = None,
    formats: Sequence[str] = FORMATS,
) -> Inspection:
    """Draw what a classifier has learned: kernels, weights, feature maps, activation maps, receptive fields, costs.

    Args:
        model: a run folder, a ``model.safetensors`` file, or a loaded classifier.
        against: another one, whose weights are drawn over those of the model.
        images: pictures to look at, as ``predict`` takes them; 16 at most.
        layers: dotted names of the layers whose feature maps and receptive fields are drawn; by default the
            first convolution's activation, and for the receptive fields the last layer at each resolution.
        mistakes: how many misclassified images of the set to look at, the most confident first, and one that
            is right; by default 3, or none where images are named and no data.
        data: where the mistakes are looked for: a set's name, as in a recipe, or a ``SplitRequest``, whose device
            answers; by default the model's own test split.
        out: the folder of the results; by default ``inspection`` beside the model.
        formats: of the figures: ``png``, ``svg``.

    Returns:
        What was found, and the names of the files.

    Raises:
        ValueError: no such model, layer, format, set or image. Nothing has been written then.

    >>> found = inspect(folder / "run", formats=["png"])
    >>> [file.name for file in found.files][:2]
    ['kernels.png', 'weights.png']
    """
    request = SplitRequest.of(data)
    device, folder = pick_device(request.device), _folder(model, out)
    check_output(folder, formats)
    wanted = _number_of_mistakes(mistakes, images, request)
    models = _models(model, against, device)
    title, classifier = next(iter(models.items()))
    find_layers(classifier.network, layers)
    kernels = first_kernels(classifier.network)  # refuses a network without any before the slow part
    stored = [from_files(images, classifier)] if images else []
    left_out: tuple[BadImageError, ...] = ()
    many = stored
    if wanted is not None:
        evaluation = request.evaluate(classifier, device, "none")
        stored = [*stored, from_evaluation(evaluation, wanted)]
        many = [take(evaluation, range(min(_IMAGES_OF_FIELDS, len(evaluation.labels))))]
        left_out = evaluation.left_out
    examples = answer(classifier, stored, device)
    weights = {name: layer_weights(one.network) for name, one in models.items()}
    rows, costs = distributions(weights), layer_costs(classifier.network, examples.inputs[:1])
    figures = {
        "kernels": plots.plot_kernels(kernels, f"{title}: kernels of the first layer"),
        "weights": plots.plot_weights(weights, rows, " against ".join(weights)),
        **_plot_looks(classifier, examples, answer(classifier, many, device).inputs, layers, title),
    }
    tables = {"weights": [asdict(row) for row in rows]}
    tables["layers"] = [asdict(cost) | {"shape": "x".join(map(str, cost.shape))} for cost in costs]
    if inputs := _inputs(classifier):
        tables["input"] = [asdict(field) for field in inputs]
    files = write_output(folder, formats, figures, tables)
    return Inspection(folder, files, tuple(costs), tuple(rows), left_out, inputs)


def _plot_looks(
    classifier: Classifier, examples: Examples, many: Tensor, layers: Sequence[str], title: str
) -> dict[str, Figure]:
    """Draw the figures that need pictures: feature maps, activation maps, and receptive fields over ``many``."""
    network, classes = classifier.network, classifier.classes
    calls = trace(network, examples.inputs[:1])
    resolutions = stages(calls)
    maps = feature_maps(network, examples.inputs, layers or [first_block(calls)])
    figures = {
        f"features-{layer}": plots.plot_features(examples, classes, layer, outputs, f"{title}: feature maps of {layer}")
        for layer, outputs in maps.items()
    }
    if resolutions:
        known = zip(examples.labels, examples.answers, strict=True)
        labels = [answer if label is None else label for label, answer in known]
        for_answers, for_labels = (
            class_activation_maps(network, examples.inputs, torch.tensor(asked, device=many.device), resolutions[-1])
            for asked in (examples.answers, labels)
        )
        figures["activation-maps"] = plots.plot_activation_maps(
            examples, classes, resolutions[-1], for_answers, for_labels, f"{title}: class activation maps"
        )
    # A layer that gives no maps, such as a linear one, has no position and so no field.
    in_fields = [call.name for call in calls if call.name in layers and call.positions] or resolutions
    if in_fields:
        fields = receptive_fields(network, many, list(dict.fromkeys(in_fields)))
        figures["receptive-fields"] = plots.plot_receptive_fields(fields, len(many), f"{title}: receptive fields")
    return figures


def _models(
    model: str | Path | Classifier, against: str | Path | Classifier | None, device: torch.device
) -> dict[str, Classifier]:
    """Return one or two classifiers on the device, by the names that the figures give them."""
    models: dict[str, Classifier] = {}
    for one in (model, against) if against is not None else (model,):
        classifier = one if isinstance(one, Classifier) else load(one)
        name = str(one.architecture.get("name", "model")) if isinstance(one, Classifier) else str(one)
        models[f"{name} (the other)" if name in models else name] = ready(classifier, device)
    return models


def _number_of_mistakes(mistakes: int | None, images: Sequence[str | Path], request: SplitRequest) -> int | None:
    """Return how many mistakes to look for; None where the set need not be opened."""
    if mistakes is None:
        return None if images and request.data is None else MISTAKES
    if not 0 <= mistakes < MOST:
        raise ValueError(f"mistakes: {mistakes} is not from 0 to {MOST - 1}")
    return None if images and mistakes == 0 else mistakes


def _inputs(classifier: Classifier) -> tuple[InputField, ...]:
    form = classifier.pretrained_input
    return tuple(compare_input(form, classifier.preprocessing)) if form else ()


def _folder(model: str | Path | Classifier, out: str | Path | None) -> Path:
    if out is not None:
        return Path(out).expanduser()
    if isinstance(model, Classifier):
        raise ValueError("out: name a folder for the pictures; a classifier in memory has none of its own")
    return model_path(model).parent / "inspection"
