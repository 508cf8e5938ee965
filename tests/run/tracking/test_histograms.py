"""Histograms count what numpy counts."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.run.tracking import histograms as module
from assay.run.tracking.histograms import Histogram, histograms

TENSORS: dict[str, Callable[[torch.Generator], Tensor]] = {
    "normal": lambda draw: torch.randn(40, 3, 5, 5, generator=draw),
    "channels last": lambda draw: torch.randn(8, 6, 3, 3, generator=draw).to(memory_format=torch.channels_last),
    "not dense": lambda draw: torch.randn(50, 40, generator=draw)[:, ::3],
    "tiny": lambda draw: torch.randn(1000, generator=draw) * 1e-30,
    "skewed": lambda draw: torch.rand(5000, generator=draw) ** 8,
    "half": lambda draw: torch.randn(300, generator=draw).bfloat16(),
    "all the same": lambda _: torch.ones(7),
    "zeros": lambda _: torch.zeros(7),
    "a scalar": lambda _: torch.tensor(-3.5),
}


def draw(name: str) -> Tensor:
    """The same whichever others are drawn."""
    return TENSORS[name](torch.Generator().manual_seed(3))


def assert_as_numpy(found: Histogram, values: Tensor) -> None:
    wanted = values.double().flatten().numpy()
    counts, edges = np.histogram(wanted, module.BUCKETS)
    assert found.counts == tuple(counts.tolist())
    np.testing.assert_allclose(found.limits, edges[1:], rtol=1e-12, atol=1e-300)
    assert (found.low, found.high, found.count) == (wanted.min(), wanted.max(), wanted.size)
    assert found.total == pytest.approx(wanted.sum(), rel=1e-9, abs=1e-12 * np.abs(wanted).sum())
    assert found.squares == pytest.approx((wanted**2).sum(), rel=1e-12)


@pytest.mark.parametrize("name", TENSORS)
def test_as_numpy(name: str) -> None:
    values = draw(name)
    before = values.clone()
    found = histograms({name: values})[name]
    assert_as_numpy(found, values)
    assert found.non_finite == 0
    assert torch.equal(values, before)


def test_many_at_once_and_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 100)
    tensors = {name: draw(name) for name in TENSORS}
    found = histograms(tensors)
    assert list(found) == list(tensors)
    for name, values in tensors.items():
        assert_as_numpy(found[name], values)


def test_what_is_not_finite_is_counted_apart() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(3))
    values[[3, 500, 501]] = torch.tensor([math.inf, -math.inf, math.nan])
    found = histograms({"dirty": values, "clean": torch.ones(2)})
    assert_as_numpy(found["dirty"], values[values.isfinite()])
    assert (found["dirty"].non_finite, found["clean"].non_finite) == (3, 0)


def test_nothing_to_count() -> None:
    assert histograms({}) == {}
    found = histograms({"empty": torch.empty(0, 3), "nan": torch.full((4,), math.nan)})
    assert (found["empty"].count, found["empty"].non_finite) == (0, 0)
    assert (found["nan"].count, found["nan"].non_finite) == (0, 4)


@pytest.mark.parametrize("value", [1e30, -3e20])
def test_one_value_that_swallows_a_half_is_counted_too(value: float) -> None:
    found = histograms({"large": torch.full((5,), value)})["large"]
    assert sum(found.counts) == found.count == 5
    assert found.low == found.high == pytest.approx(value)
    assert found.limits[0] < found.low < found.limits[-1]
