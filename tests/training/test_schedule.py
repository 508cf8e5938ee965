"""Learning rates against torch's own schedulers, and against formulas worked out anew."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from assay.training.schedule import attach, build_schedule

EPOCHS, STEPS, LR = 30, 7, 0.3
TORCHS: dict[str, tuple[dict[str, Any], Callable[[Optimizer], LRScheduler]]] = {
    "constant": ({}, lambda optimizer: StepLR(optimizer, 10**9)),
    "step": ({"every": 7, "factor": 0.3}, lambda optimizer: StepLR(optimizer, 7, 0.3)),
    "multistep": (
        {"milestones": [5, 12, 13], "factor": 0.2},
        lambda optimizer: MultiStepLR(optimizer, [5, 12, 13], 0.2),
    ),
    "exponential": ({"factor": 0.8}, lambda optimizer: ExponentialLR(optimizer, 0.8)),
    "cosine": ({"final": 0.1}, lambda optimizer: CosineAnnealingLR(optimizer, EPOCHS, 0.1 * LR)),
    "linear": ({"final": 0.1}, lambda optimizer: LinearLR(optimizer, 1.0, 0.1, EPOCHS)),
    "cosine-periodic": (
        {"period": 4, "final": 0.2},
        lambda optimizer: CosineAnnealingLR(optimizer, 4, 0.2 * LR),  # falls and rises past its T_max
    ),
    "cosine-restarts": (
        {"period": 3, "multiply": 2, "final": 0.1},
        lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 3, 2, 0.1 * LR),
    ),
}
DEFAULTS: dict[str, tuple[dict[str, Any], Callable[[Optimizer], LRScheduler]]] = {
    "step": ({}, lambda optimizer: StepLR(optimizer, 10)),
    "multistep": ({"milestones": [4]}, lambda optimizer: MultiStepLR(optimizer, [4])),
    "exponential": ({}, lambda optimizer: ExponentialLR(optimizer, 0.9)),
    "cosine": ({}, lambda optimizer: CosineAnnealingLR(optimizer, EPOCHS)),
    "linear": ({}, lambda optimizer: LinearLR(optimizer, 1.0, 0.0, EPOCHS)),
    "cosine-restarts": ({"period": 7}, lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 7)),
}


def optimizer() -> Optimizer:
    return SGD([nn.Parameter(torch.zeros(1))], lr=LR)


def rates(scheduler: LRScheduler, count: int) -> list[float]:
    """The rate at each step, as the loop takes it: before the scheduler moves on."""
    taken = []
    for _ in range(count):
        taken.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return taken


def ours(name: str, options: dict[str, Any], update: str) -> list[float]:
    schedule = build_schedule(name, epochs=EPOCHS, **options)
    return rates(attach(schedule, optimizer(), epochs=EPOCHS, steps_per_epoch=STEPS, update=update), EPOCHS * STEPS)


@pytest.mark.parametrize(
    ("name", "options", "torchs"),
    [(name, *pair) for table in (TORCHS, DEFAULTS) for name, pair in table.items()],
)
def test_by_epoch_equals_torchs_scheduler(
    name: str, options: dict[str, Any], torchs: Callable[[Optimizer], LRScheduler]
) -> None:
    taken = ours(name, options, "epoch")
    assert taken[::STEPS] == pytest.approx(rates(torchs(optimizer()), EPOCHS), rel=1e-9)
    assert all(taken[step] == taken[step - step % STEPS] for step in range(len(taken)))


def _place_in_period(epoch: Fraction) -> float:
    """Periods of 3, 6, 12... epochs begin at 0, 3, 9, 21..."""
    start, length = max((3 * (2**k - 1), 3 * 2**k) for k in range(5) if epoch >= 3 * (2**k - 1))
    return float((epoch - start) / length)


FORMULAS: dict[str, Callable[[Fraction], float]] = {  # of the exact progress in epochs
    "constant": lambda _: 1.0,
    "step": lambda epoch: 0.3 ** math.floor(epoch / 7),
    "multistep": lambda epoch: 0.2 ** sum(epoch >= milestone for milestone in (5, 12, 13)),
    "exponential": lambda epoch: math.exp(float(epoch) * math.log(0.8)),
    "cosine": lambda epoch: 0.1 + 0.9 * math.cos(math.pi / 2 * float(epoch / EPOCHS)) ** 2,  # half-angle form
    "linear": lambda epoch: 1 - 0.9 * float(epoch / EPOCHS),
    "cosine-periodic": lambda epoch: 0.2 + 0.8 * math.cos(math.pi / 2 * float(epoch / 4)) ** 2,
    "cosine-restarts": lambda epoch: 0.1 + 0.9 * math.cos(math.pi / 2 * _place_in_period(epoch)) ** 2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_by_step_equals_the_formula(name: str) -> None:
    expected = [LR * FORMULAS[name](Fraction(step, STEPS)) for step in range(EPOCHS * STEPS)]
    assert ours(name, TORCHS[name][0], "step") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("steps", [3, 10, 390])
@pytest.mark.parametrize("every", ["0.1", "0.3", "1.5", "2"])
def test_parts_of_an_epoch_are_counted_exactly(steps: int, every: str) -> None:
    schedule = build_schedule("step", epochs=EPOCHS, every=float(every), factor=0.5)
    for step in range(3 * steps):
        assert schedule(step / steps) == 0.5 ** math.floor(Fraction(step, steps) / Fraction(every))


def test_multistep_within_an_epoch() -> None:
    taken = ours("multistep", {"milestones": [3 / 7, 2.0], "factor": 0.5}, "step")
    assert taken[:15] == pytest.approx([LR] * 3 + [LR / 2] * 11 + [LR / 4])


def test_exponential_per_several_epochs() -> None:
    schedule = build_schedule("exponential", epochs=EPOCHS, every=4.0, factor=0.5)
    assert [schedule(epoch) for epoch in (0, 4, 8, 2)] == pytest.approx([1, 0.5, 0.25, 0.5**0.5])


def test_cosine_goes_from_one_to_its_end() -> None:
    schedule = build_schedule("cosine", epochs=20, final=0.25)
    assert [schedule(epoch) for epoch in (0, 10, 20)] == pytest.approx([1, 0.625, 0.25])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cosin", {}, r"unknown schedule 'cosin': did you mean cosine\?"),
        ("constant", {"factor": 0.1}, "schedule constant has no option 'factor'"),
        ("cosine", {"every": 3}, "schedule cosine has no option 'every'"),
        ("cosine", {"finl": 0.1}, r"did you mean final\?"),
        ("step", {"milestones": [3]}, "schedule step has no option 'milestones'"),
        ("exponential", {"final": 0.1}, "schedule exponential has no option 'final'"),
        ("multistep", {}, "schedule multistep needs 'milestones'"),
        ("multistep", {"milestones": [3, 2]}, r"schedule\.milestones: \[3, 2\] do not ascend"),
        ("multistep", {"milestones": [3, 3]}, r"schedule\.milestones: \[3, 3\] do not ascend"),
    ],
)
def test_what_a_schedule_does_not_have_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_schedule(name, epochs=EPOCHS, **options)


def test_options_that_are_none_take_the_default() -> None:
    assert build_schedule("step", epochs=3, every=None, factor=None)(10) == pytest.approx(0.1)
    assert build_schedule("constant", epochs=3, every=None, final=None)(2) == 1.0


@pytest.mark.parametrize("rise", [0.2, 0.5])
def test_one_cycle_passes_through_torchs_points(rise: float) -> None:
    """Each of torch's phases is a step shorter than ours: the same places in a phase are compared."""
    total = 1000
    torchs = rates(OneCycleLR(optimizer(), LR, total, pct_start=rise, cycle_momentum=False), total)
    schedule = build_schedule("one-cycle", epochs=10, rise=rise)
    top = rise * total - 1
    for step in range(0, total, 37):
        place = rise * step / top if step <= top else rise + (1 - rise) * (step - top) / (total - 1 - top)
        assert LR * schedule(10 * place) == pytest.approx(torchs[step], rel=1e-6)


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine", "linear"])
def test_warmup_is_torchs_sequence(name: str) -> None:
    warmup = 4
    schedule = build_schedule(name, epochs=EPOCHS, warmup=warmup, warmup_start=0.05)
    taken = rates(attach(schedule, optimizer(), epochs=EPOCHS, steps_per_epoch=1, update="step"), EPOCHS)
    theirs: dict[str, Callable[[Optimizer], LRScheduler]] = {
        **{key: value for key, (_, value) in DEFAULTS.items()},
        "constant": TORCHS["constant"][1],
        "cosine": lambda optimizer: CosineAnnealingLR(optimizer, EPOCHS - warmup),
        "linear": lambda optimizer: LinearLR(optimizer, 1.0, 0.0, EPOCHS - warmup),
    }
    parts = optimizer()
    sequence = SequentialLR(parts, [LinearLR(parts, 0.05, 1.0, warmup), theirs[name](parts)], [warmup])
    assert taken == pytest.approx(rates(sequence, EPOCHS), rel=1e-6, abs=1e-12)


def test_warmup_rises_step_by_step_to_the_rate() -> None:
    schedule = build_schedule("constant", epochs=3, warmup=1.0, warmup_start=0.0)
    taken = rates(attach(schedule, optimizer(), epochs=3, steps_per_epoch=4, update="step"), 6)
    assert taken == pytest.approx([0, LR / 4, LR / 2, 3 * LR / 4, LR, LR])


def test_warmup_ends_where_a_schedule_begins_low() -> None:
    schedule = build_schedule("one-cycle", epochs=10, warmup=2.0, start=0.5)
    assert [schedule(1.999999), schedule(2.0)] == pytest.approx([0.5, 0.5], rel=1e-5)


def test_a_warmup_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^schedule\.warmup: 5 epochs leave none of the run's 5$"):
        build_schedule("cosine", epochs=5, warmup=5)


@pytest.mark.parametrize("steps", [3, 7, 390])
def test_restarts_come_at_whole_epochs(steps: int) -> None:
    schedule = build_schedule("cosine-restarts", epochs=9, period=0.1, multiply=1)
    for step in range(9 * steps):
        if (Fraction(step, steps) * 10).denominator == 1:
            assert schedule(step / steps) == pytest.approx(1.0)


def test_a_start_of_no_warmup_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^schedule\.warmup_start needs schedule\.warmup above 0$"):
        build_schedule("cosine", epochs=5, warmup_start=0.1)


@pytest.mark.parametrize("update", ["step", "epoch"])
def test_weights_that_learn_for_a_part_of_the_run_pass_the_whole_schedule_in_it(update: str) -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "span": span} for span in (1 / 3, 1.0)]
    schedule = build_schedule("cosine", epochs=EPOCHS, final=0.1)
    scheduler = attach(schedule, SGD(groups, lr=LR), epochs=EPOCHS, steps_per_epoch=STEPS, update=update)
    taken = []
    for _ in range(EPOCHS * STEPS):
        taken.append(scheduler.get_last_lr())
        scheduler.optimizer.step()
        scheduler.step()
    early, whole = zip(*taken, strict=True)
    assert whole == tuple(ours("cosine", {"final": 0.1}, update))
    end = EPOCHS // 3
    if update == "epoch":
        torchs = rates(CosineAnnealingLR(optimizer(), end, 0.1 * LR), end)
        assert early[: end * STEPS : STEPS] == pytest.approx(torchs, rel=1e-6)
    else:
        assert early[: end * STEPS] == pytest.approx(whole[::3], rel=1e-6)
    assert set(early[end * STEPS :]) == {0.0}
