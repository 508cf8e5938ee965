"""The side of each epoch's images, against a table by hand, and torchvision's resize."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from torchvision.transforms.v2 import functional as v2

from assay.data.sides import as_they_are, growing, scaled_down


def images() -> torch.Tensor:
    return torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))


def test_images_are_scaled_down_as_torchvision_does() -> None:
    assert_close(scaled_down(images(), 11), v2.resize(images(), [11, 11], antialias=True))
    assert torch.equal(scaled_down(images(), 16), images())


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_layout_stays(layout: torch.memory_format) -> None:
    small = scaled_down(images().contiguous(memory_format=layout), 8)
    assert small.is_contiguous(memory_format=layout)


def test_without_a_ramp_the_side_jumps() -> None:
    side = growing(11, 16, start=1.5, end=1.5)
    assert [side(epoch) for epoch in range(4)] == [11, 11, 16, 16]
    whole = growing(11, 16, start=2.0, end=2.0)
    assert [whole(epoch) for epoch in range(4)] == [11, 11, 16, 16]
    assert as_they_are(0) is None


@pytest.mark.parametrize(
    ("start", "end", "first"),
    [
        (11, 13, 12),  # rn50_16_epochs.yaml: 160, 176 (5.5 times 32, which rounds to the even 6), 192
        (65, 76, 71),  # rn50_88_epochs.yaml: 174.5 in epoch 70, which is 5.45 times 32, and 177.5 in epoch 71
    ],
)
def test_ffcvs_side_is_160_up_to_the_middle_of_its_ramp(start: int, end: int, first: int) -> None:
    side = growing(160, 192, start=start, end=end)
    assert [side(epoch) for epoch in range(88)] == [160] * first + [192] * (88 - first)


def test_a_longer_ramp_goes_through_the_multiples_between() -> None:
    """On the line 128, 137.6, 147.2, ... 224: over 32 that is 4, 4.3, 4.6, 4.9, 5.2, 5.5, 5.8, 6.1, 6.4, 6.7, 7."""
    side = growing(128, 224, start=2, end=12)
    table = [128, 128, 128, 128, 160, 160, 160, 192, 192, 192, 192, 224, 224, 224]
    assert [side(epoch) for epoch in range(14)] == table


@pytest.mark.parametrize(("small", "large"), [(24, 64), (32, 60)])
def test_a_ramp_has_ends_on_its_steps(small: int, large: int) -> None:
    with pytest.raises(ValueError, match=f"train.small_ramp: .*{small} or {large} is no multiple"):
        growing(small, large, start=1, end=2)
