"""A new head that begins as the linear probe of the pretrained features, not at zero."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn

from assay.classifier.evaluation import predict_scores
from assay.data.batches import EvaluationBatches
from assay.models.folded_norms import folded_norms
from assay.models.structure import final_layers
from assay.training.linear_probe import LinearProbe, fit_linear_probe


def fit_head(network: nn.Module, batches: EvaluationBatches, classes: int) -> LinearProbe | None:
    """Fit the final layer to the network's features of the images, in place.

    Fine-tuning that begins there changes the body less, and answers better for images unlike the training's
    (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", section 3.4).

    Args:
        network: on the device of the batches.
        batches: the training images, without augmentation.
        classes: the number of classes.

    Returns:
        The probe; None, and the network as it was, if the scores are not those of a single linear layer.
    """
    names = final_layers(network)
    layer = network.get_submodule(names[0])
    if len(names) > 1 or not isinstance(layer, nn.Linear):
        return None
    features, labels = features_of(network, names[0], batches)
    if features.ndim > 2:  # the layer answers for each place of an image, and the network averages these answers
        return None
    probe = fit_linear_probe(features, labels, classes)
    with torch.no_grad():
        layer.weight.copy_(probe.weight)
        if layer.bias is not None:
            layer.bias.copy_(probe.bias)
    return probe


def features_of(network: nn.Module, name: str, batches: EvaluationBatches) -> tuple[Tensor, Tensor]:
    """A layer's inputs for the images, float32 ``[N, ..., D]``, in evaluation mode, and the labels, int64 ``[N]``."""
    features: list[Tensor] = []
    labels: list[Tensor] = []
    stream = iter(batches)
    first = next(stream)

    def images() -> Iterator[Tensor]:
        for batch, targets in chain([first], stream):
            labels.append(targets)
            yield batch

    was_training = network.training
    network.eval()
    # Before the hook is there: the norms of a network that is watched are not folded.
    folded = folded_norms(network, first[0][:1])
    layer = folded.get_submodule(name)
    handle = layer.register_forward_pre_hook(lambda _layer, inputs: features.append(inputs[0].float()))
    try:
        predict_scores(folded, images())
    finally:
        handle.remove()  # the network's own layer, if nothing was folded
        network.train(was_training)
    return torch.cat(features).clone(), torch.cat(labels)  # a clone has gradients, a tensor of inference mode has none
