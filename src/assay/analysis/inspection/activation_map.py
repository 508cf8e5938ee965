"""Where in a picture the evidence for a class lies."""

from __future__ import annotations

import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from assay.analysis.inspection.trace import find_layers


def class_activation_maps(network: nn.Module, images: Tensor, classes: Tensor, layer: str) -> Tensor:
    """Return Grad-CAM maps: a layer's maps weighted with the class score's mean gradient, summed, negatives set to 0.

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", equations 1 and 2, as captum has it; enlarged bilinearly to the images' size.

    Args:
        network: in evaluation mode.
        images: its input, ``[B, C, H, W]``.
        classes: for each image the class whose evidence is shown, int64 ``[B]``.
        layer: dotted name of a layer whose output is maps.

    Returns:
        ``[B, H, W]``, at least 0, on the images' device; all 0 without evidence for the class.

    Raises:
        ValueError: no such layer, or its output is not maps.
    """
    module = find_layers(network, [layer])[layer]
    # The ReLU of equation 2 keeps only the evidence for the class.
    maps = LayerGradCam(network, module).attribute(images, target=classes, relu_attributions=True)
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        raise ValueError(f"layer {layer!r} does not give maps [C, H, W], which a class activation map is made of")
    enlarged = F.interpolate(maps.detach(), size=images.shape[-2:], mode="bilinear", align_corners=False)
    return enlarged[:, 0]
