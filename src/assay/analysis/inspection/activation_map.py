"""Where in a picture the evidence for a class lies."""

from __future__ import annotations

import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from assay.analysis.inspection.trace import find_layers


def class_activation_maps(network: nn.Module, images: Tensor, classes: Tensor, layer: str) -> Tensor:
    """Grad-CAM: a layer's maps, weighted with the mean gradient of the class's score, summed, negatives cut off.

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", equations 1 and 2, as captum has it; enlarged bilinearly to the images' size.

    Args:
        network: in evaluation mode.
        images: its input, ``[B, C, H, W]``.
        classes: for each image the class that is asked for, int64 ``[B]``.
        layer: dotted name of a layer that gives maps.

    Returns:
        At least 0, ``[B, H, W]``, on the images' device; all 0 where nothing speaks for the class.

    Raises:
        ValueError: no such layer, or it does not give maps.
    """
    module = find_layers(network, [layer])[layer]
    maps = LayerGradCam(network, module).attribute(images, target=classes, relu_attributions=True)
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        raise ValueError(f"layer {layer!r} does not give maps [C, H, W], which a class activation map is made of")
    enlarged = F.interpolate(maps.detach(), size=images.shape[-2:], mode="bilinear", align_corners=False)
    return enlarged[:, 0]
