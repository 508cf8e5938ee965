"""What a recipe fixes from the start: the first convolution as whitening filters, the norms' scales."""

from __future__ import annotations

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


def whiten(network: nn.Module, images: EvaluationBatches) -> None:
    """Fit the first convolution to training images as they are; raises ``ValueError`` as `fix`."""
    fit_whitening(whitening_layer(network), (batch for batch, _ in images))
