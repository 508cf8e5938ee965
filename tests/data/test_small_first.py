"""Small images first: the size of each epoch, against torchvision's resize."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from torchvision.transforms.v2 import functional as v2

from assay.data.small_first import as_they_are, small_first


def images() -> torch.Tensor:
    return torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))


def test_the_first_epochs_see_torchvisions_small_images() -> None:
    resize = small_first(11, 1.5)
    for epoch in (0, 1):
        assert_close(resize(images(), epoch), v2.resize(images(), [11, 11], antialias=True))
    for epoch in (2, 7):
        assert torch.equal(resize(images(), epoch), images())
    assert torch.equal(as_they_are(images(), 0), images())


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_layout_stays(layout: torch.memory_format) -> None:
    small = small_first(8, 1)(images().contiguous(memory_format=layout), 0)
    assert small.is_contiguous(memory_format=layout)
