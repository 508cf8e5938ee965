"""The receptive fields of layers: which pixels a unit depends on, and how strongly."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.analysis.inspection.trace import watching

_FAINT = 1 - 0.9545  # a Gaussian's share beyond two deviations; Luo et al. 2016 cut there
_AT_A_TIME = 8  # images whose activations are held at once


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of the unit in the middle of a layer's maps.

    Attributes:
        layer: dotted name.
        strength: mean absolute gradient at each pixel relative to the largest, in [0, 1], ``[H, W]``;
            all 0 where the unit is constant on all images.
        box: top, left, bottom, right of the pixels that can have an effect, the last two exclusive.
    """

    layer: str
    strength: NDArray[np.float64]
    box: tuple[int, int, int, int]

    @property
    def clipped(self) -> bool:
        """Whether the theoretical field reaches the picture's edge, and so perhaps beyond it."""
        top, left, bottom, right = self.box
        height, width = self.strength.shape
        return min(top, left) == 0 or bottom == height or right == width

    @property
    def effective(self) -> float:
        """Side of the square whose area is that of the pixels above 4.55 % of the strongest (Luo et al. 2016)."""
        return float(np.sqrt((self.strength > _FAINT).sum()))


def receptive_fields(network: nn.Module, images: Tensor, layers: Sequence[str]) -> list[ReceptiveField]:
    """Return the effective and the theoretical receptive fields of layers, for images float32 ``[B, C, H, W]``.

    Luo et al. 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks":
    the gradient of the unit in the middle with respect to the input, here summed over the layer's channels
    and, as absolute values, averaged over the images and their channels. The theoretical field is that of
    `theoretical_boxes`.

    Raises:
        ValueError: no such layer, or one that gives no maps.
    """
    parts = [_central_gradients(network, part, layers) for part in torch.split(images, _AT_A_TIME)]
    fields = []
    for layer, box in theoretical_boxes(network, images[:1], layers).items():
        total = torch.stack([part[layer].abs().sum((0, 1)) for part in parts]).sum(0).cpu().double().numpy()
        fields.append(ReceptiveField(layer, total / (total.max() or 1), box))
    return fields


def theoretical_boxes(network: nn.Module, image: Tensor, layers: Sequence[str]) -> dict[str, tuple[int, int, int, int]]:
    """Return top, left, bottom and right of the pixels that can have an effect on a layer's middle unit.

    They are where the gradient is not 0 in a copy of the network with only linear layers and random weights: an
    activation, a maximum or a zero weight could hide a pixel. With a global gate (squeeze and excitation) that is the
    whole picture.
    """
    gradients = _central_gradients(_linear_twin(network), image.cpu().double(), layers)
    boxes = {}
    for layer, gradient in gradients.items():
        seen = (gradient != 0).any(0).any(0)
        rows, columns = (torch.nonzero(seen.any(axis)).flatten().tolist() for axis in (1, 0))
        boxes[layer] = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    return boxes


def _central_gradients(network: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return for each layer the gradient of its middle unit, summed over its channels, ``[B, C, H, W]``."""
    inputs = images.detach().clone().requires_grad_()
    middles: dict[str, Tensor] = {}

    def see(name: str, output: Tensor) -> None:
        if output.ndim == 4:
            middles[name] = output[:, :, output.shape[2] // 2, output.shape[3] // 2].sum()

    with torch.enable_grad(), watching(network, layers, see):
        network(inputs)
    for name in layers:
        if name not in middles:
            raise ValueError(f"layer {name!r} does not give maps [C, H, W], and so has no receptive field")
    # All layers share one forward pass, whose graph the next layer needs again.
    return {name: torch.autograd.grad(middles[name], inputs, retain_graph=True)[0] for name in layers}


def _linear_twin(network: nn.Module) -> nn.Module:
    """Return a copy in float64 on the CPU without activations, norms and maxima, and with random weights."""
    twin = copy.deepcopy(network).cpu().double().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)  # a field must be the same each time
    for weight in twin.parameters():
        if weight.ndim > 1:
            # LeCun's scale keeps gradients from vanishing in deep networks, where an exact 0 means no effect.
            weight.normal_(std=weight[0].numel() ** -0.5, generator=generator)
        else:
            weight.fill_(1.0)  # a block's scale that starts near 0 would hide the block
    for module in twin.modules():
        if hasattr(module, "inplace"):
            module.__dict__["inplace"] = False  # or it would change the input that replaces its output
        if not list(module.children()) and all(weight.ndim < 2 for weight in module.parameters()):
            module.register_forward_hook(_without_nonlinearity)
    return twin


def _without_nonlinearity(module: nn.Module, inputs: Any, output: Any) -> Any:
    """Return a maximum's mean, and the input of an activation or norm, in place of the module's output."""
    if isinstance(module, nn.MaxPool2d):
        return F.avg_pool2d(inputs[0], module.kernel_size, module.stride, module.padding, module.ceil_mode)
    # Another pooling may keep the shape, but it moves pixels.
    same = isinstance(output, Tensor) and output.shape == inputs[0].shape and "Pool" not in type(module).__name__
    return inputs[0] if same else output
