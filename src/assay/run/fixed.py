"""What a recipe asks of its network: a first convolution that whitens, norms' scales that stay, several sizes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from assay.data.batches import EvaluationBatches
from assay.models.whitening import fit_whitening, whitening_layer
from assay.recipe.recipe import Recipe
from assay.training.transfer import NORMS

WHITENED = 5000
"""training images whose patches are looked at, as Jordan 2024"""


def fix(recipe: Recipe, network: nn.Module) -> None:
    """Take away the gradient of all that the recipe fixes, so that it counts and learns no more.

    Raises:
        ValueError: the network has nothing of the kind.
    """
    if recipe.transfer.whiten:
        if recipe.model.pretrained:
            raise ValueError("transfer.whiten would replace the first layer of model.pretrained: choose one of them")
        whitening_layer(network).weight.requires_grad_(False)
    if recipe.transfer.freeze_scales:
        scales = [layer.weight for layer in network.modules() if isinstance(layer, NORMS) and layer.weight is not None]
        if not scales:
            raise ValueError("transfer.freeze_scales: the network has no norm with a scale")
        for scale in scales:
            scale.requires_grad_(False)


def check_small_size(recipe: Recipe, network: nn.Module, network_at: Callable[[int], nn.Module]) -> None:
    """Raise ``ValueError`` if the network of the first epochs' small images would be another one, or none.

    Args:
        recipe: says how small they are, if at all.
        network: that of the images' own size.
        network_at: builds that of another size.
    """
    if (size := recipe.train.small_size) is None:
        return
    with torch.device("meta"):
        small = network_at(size)
    shapes = [{name: weight.shape for name, weight in one.named_parameters()} for one in (network, small)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"train.small_size: {recipe.model.name} has other parameters for images of {size} pixels")


def whiten(network: nn.Module, images: EvaluationBatches) -> None:
    """Fit the first convolution to training images as they are; raises ``ValueError`` as `fix`."""
    fit_whitening(whitening_layer(network), (batch for batch, _ in images))
