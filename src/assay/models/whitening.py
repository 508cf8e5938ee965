"""A first convolution that whitens: its filters are the directions of the training images' patches.

Page 2019, "How to Train Your ResNet 8: Bag of Tricks", for fixed whitening filters in front of a network; Jordan 2024,
"94% on CIFAR-10 in 3.29 Seconds on a Single GPU", section 3.2, for each filter together with its negative.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_EPSILON = 5e-4
"""added to each direction's variance, so that directions of noise alone are not blown up (Jordan 2024: 5e-4)"""


def whitening_layer(network: nn.Module) -> nn.Conv2d:
    """Return the network's first convolution; raise ``ValueError`` if it cannot whiten."""
    layer = next((one for one in network.modules() if isinstance(one, nn.Conv2d)), None)
    if layer is None:
        raise ValueError("transfer.whiten: the network has no convolution")
    most = 2 * layer.weight[0].numel()
    if layer.groups > 1 or layer.out_channels > most or layer.out_channels % 2:
        raise ValueError(
            f"transfer.whiten: the first convolution has {layer.out_channels} filters; expected an even number of at "
            f"most {most}, a pair for each direction of its patches"
        )
    return layer


def fit_whitening(layer: nn.Conv2d, batches: Iterable[Tensor]) -> None:
    """Make the layer's filters those that whiten the images' patches, in place; its bias stays.

    Filter i is the i-th direction of the patches, that of the largest variance first, over the square root of that
    variance; the second half of the filters are the negatives of the first.

    Args:
        layer: as of `whitening_layer`.
        batches: normalised images, float32 ``[B, C, H, W]``, at least as large as a filter.
    """
    shape, count = layer.weight.shape, layer.out_channels // 2
    moments = sum(_moments(images, layer) for images in batches)
    assert isinstance(moments, Tensor)
    variances, directions = torch.linalg.eigh(moments[:-1] / moments[-1, 0])
    scaled = (directions / (variances + _EPSILON).sqrt()).flip(1).T[:count]  # eigh's order is ascending
    filters = torch.cat([scaled, -scaled]).view(shape)
    with torch.no_grad():
        layer.weight.copy_(filters)


def _moments(images: Tensor, layer: nn.Conv2d) -> Tensor:
    """The sum of the patches' outer products ``[D, D]``, and below it a row of their number, float64 on the CPU.

    Patches are not centred: the images are normalised, and the bias of the layer can take a mean away.
    """
    patches = nn.functional.unfold(images, layer.weight.shape[2:]).transpose(1, 2).flatten(0, 1).double().cpu()
    number = torch.full((1, patches.shape[1]), float(len(patches)), dtype=torch.float64)
    return torch.cat([patches.T @ patches, number])
