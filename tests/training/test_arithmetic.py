"""Types of numbers are measured: the fastest whose values are right is chosen."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from assay.training.arithmetic import Arithmetic, convolution, measure

CPU = torch.device("cpu")
RIGHT = torch.arange(1.0, 9.0)


class FakeDevice:
    """Computes given values, and takes given times of a clock that nothing else moves."""

    def __init__(self, seconds: dict[str, float], values: dict[str, Tensor]) -> None:
        self.seconds, self.values, self.now, self.calls = seconds, values, 0.0, list[str]()

    def __call__(self, name: str) -> list[Tensor]:
        if name not in self.seconds:
            raise RuntimeError("no such\n type")
        self.calls.append(name)
        self.now += self.seconds[name]
        return [self.values.get(name, RIGHT)]

    def measured(self) -> Arithmetic:
        return measure(["bf16", "fp16"], self, clock=lambda: self.now)


@pytest.mark.parametrize(
    ("bf16", "fp16", "chosen"),
    [
        *[(0.5, 2.0, "bf16"), (2.0, 0.5, "fp16"), (2.0, 2.0, "fp32"), (0.9, 0.9, "fp32")],
        *[(0.5, 0.45, "bf16"), (0.5, 0.4, "fp16")],  # a fifth faster than the best before it, or nothing
    ],
)
def test_the_fastest_is_chosen_if_it_gains_a_fifth(bf16: float, fp16: float, chosen: str) -> None:
    found = FakeDevice({"fp32": 1e-3, "bf16": bf16 * 1e-3, "fp16": fp16 * 1e-3}, {}).measured()
    assert found.seconds == pytest.approx({"fp32": 1e-3, "bf16": bf16 * 1e-3, "fp16": fp16 * 1e-3})
    assert found.fastest(["bf16", "fp16"]) == chosen
    assert found.cost("bf16") == pytest.approx(bf16)
    assert found.faults == {}


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (RIGHT * float("nan"), "its values are not finite"),
        (RIGHT * float("inf"), "its values are not finite"),
        (RIGHT * 1.04, "its values are 4.0% off, where rounding explains 3.1%"),  # 4 x 2^-7 of bfloat16
    ],
)
def test_a_type_with_wrong_values_is_out(values: Tensor, fault: str) -> None:
    device = FakeDevice({"fp32": 1e-3, "bf16": 1e-4, "fp16": 1e-2}, {"bf16": values})
    found = device.measured()
    assert found.faults == {"bf16": fault}
    assert found.seconds.keys() == {"fp32", "fp16"}
    assert found.fastest(["bf16", "fp16"]) == "fp32"
    assert found.cost("bf16") == float("inf")
    assert device.calls.count("bf16") == 1  # it is not timed


def test_values_within_rounding_are_right() -> None:
    found = FakeDevice({"fp32": 1e-3, "bf16": 1e-4, "fp16": 1e-2}, {"bf16": RIGHT * 1.03}).measured()
    assert found.fastest(["bf16"]) == "bf16"


def test_a_type_that_is_not_there_is_out() -> None:
    assert FakeDevice({"fp32": 1e-3, "bf16": 1e-3}, {}).measured().faults == {"fp16": "not there (no such type)"}


def test_a_type_a_thousand_times_slower_is_computed_twice_and_no_more() -> None:
    """Once for its values, once for its time."""
    device = FakeDevice({"fp32": 1e-3, "bf16": 2.0, "fp16": 1e-3}, {})
    assert device.measured().fastest(["bf16", "fp16"]) == "fp32"
    assert device.calls.count("bf16") == 2


def test_the_best_of_several_times_counts() -> None:
    device = FakeDevice({"fp32": 5e-3}, {})

    def faster_each_time(name: str) -> list[Tensor]:
        device.seconds[name] -= 5e-4
        return device(name)

    assert measure([], faster_each_time, clock=lambda: device.now).seconds["fp32"] == pytest.approx(2e-3)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_convolution_is_computed_as_in_training(layout: torch.memory_format) -> None:
    compute = convolution(CPU, layout)
    output, of_images, of_weight = compute("fp32")
    assert output.shape == of_images.shape == (8, 64, 16, 16)
    assert of_weight.shape == (64, 64, 3, 3)
    half = compute("bf16")
    assert half[0].dtype == torch.bfloat16
    for values, wanted in zip(half, (output, of_images, of_weight), strict=True):
        assert F.mse_loss(values.float(), wanted) / wanted.square().mean() < 1e-3


def test_a_real_measurement_has_a_time_for_each_type_or_a_reason() -> None:
    found = measure(["bf16"], convolution(CPU, torch.channels_last))
    assert found.seconds.keys() | found.faults.keys() == {"fp32", "bf16"}
    assert all(seconds > 0 for seconds in found.seconds.values())
