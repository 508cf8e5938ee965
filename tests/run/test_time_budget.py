"""What fits into a time: by hand, and what holds for all costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.recipe.suit import FEW_STEPS
from assay.run.time_budget import NEAR, Costs, Counts, Way, choose_plan, costs_at, sizes_up_to, way

SMALL, LARGE = Costs(1, 0.01, 0.5, 0.005, 0.2, 2), Costs(1, 0.02, 2.5, 0.025, 0.2, 2)
COUNTS = Counts(steps=95, decoded=3781, at_start=3409, each_epoch=341, at_end=713)


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(224, [96, 128, 160, 192, 224]), (240, [96, 128, 160, 192, 224, 240]), (96, [96]), (32, [32])],
)
def test_sizes_are_multiples_of_32_and_the_largest(largest: int, sizes: list[int]) -> None:
    assert sizes_up_to(largest) == sizes


def test_costs_lie_on_a_line_over_the_pixels() -> None:
    measured = {96: SMALL, 224: LARGE}
    assert costs_at(96, measured) == SMALL
    assert costs_at(160, measured).step == pytest.approx(0.5 + 2 * (160**2 - 96**2) / (224**2 - 96**2))
    assert costs_at(160, measured).epoch == pytest.approx(0.2)


def test_parts_add_up_to_a_run() -> None:
    one = way(96, False, SMALL, COUNTS)
    assert one.before == pytest.approx(1 + 37.81 + 17.045)
    assert one.epoch == pytest.approx(47.5 + 1.705 + 0.2)
    assert one.after == pytest.approx(3.565 + 2)
    assert one.seconds(10) == pytest.approx(one.before + 10 * one.epoch + one.after)


# 100 steps an epoch: 40 s at 96 pixels, 100 s at 160, 200 s at 224; with the head alone 10 s and 50 s
WAYS = [Way(96, False, 100, 10, 40, 10), Way(160, False, 100, 10, 100, 10), Way(224, False, 100, 10, 200, 10)]
HEADS = [Way(96, True, 100, 10, 10, 10), Way(224, True, 100, 10, 50, 10)]


@pytest.mark.parametrize(
    ("seconds", "size", "epochs", "head_only"),
    [
        (1020, 224, 5, False),  # 500 steps at the largest size
        (820, 224, 4, False),  # 400 steps, just
        (620, 160, 6, False),  # 3 epochs at 224 would be 300 steps
        (300, 96, 7, False),  # 2 or 3 epochs at 160 are 280 s or 320 s, not near
        (180, 96, 4, False),
        (105, 96, 2, False),  # 200 steps, at 100 s
        (90, 96, 7, True),  # 1 epoch of all layers would be 100 steps
        (270, 96, 6, False),  # 260 s: 400 steps are more than 224 pixels of the head alone
    ],
)
def test_steps_come_first_and_then_the_size(seconds: float, size: int, epochs: int, head_only: bool) -> None:
    plan = choose_plan([*WAYS, *HEADS], seconds)
    assert (plan.way.size, plan.epochs, plan.way.head_only) == (size, epochs, head_only)


def test_given_epochs_leave_the_size() -> None:
    assert choose_plan(WAYS, 420, epochs=4).way.size == 160
    assert choose_plan(WAYS, 5000, epochs=4).way.size == 224  # all of them end early
    one = choose_plan([*WAYS, *HEADS], 5000, epochs=1)
    assert (one.way.size, one.way.head_only) == (224, False)  # 100 steps are few, but it is not for want of time


def test_too_short_a_time_is_refused_with_what_would_do() -> None:
    with pytest.raises(ValueError, match=r"20 s are left .* the shortest run, of 1 epoch at 96 pixels, takes 30 s"):
        choose_plan([*WAYS, *HEADS], 20)


def ways_of(pixel: float, fixed: float, steps: int, once: float) -> list[Way]:
    """Ways of five sizes, with all layers and with the head alone, which takes a third."""
    costs = {size: Costs(once, 0, fixed + pixel * size**2, 0, fixed, once) for size in range(96, 225, 32)}
    counts = Counts(steps, 0, 0, 0, 0)
    whole = [way(size, False, one, counts) for size, one in costs.items()]
    third = [Way(one.size, True, one.steps, one.before, one.epoch / 3, one.after) for one in whole]
    return [*whole, *third]


WORLDS = st.builds(ways_of, st.floats(1e-7, 1e-3), st.floats(1e-4, 0.1), st.integers(1, 2000), st.floats(0, 60))


@given(WORLDS, st.floats(10, 1e5))
def test_the_end_is_near_wherever_an_allowed_number_of_epochs_is(ways: list[Way], seconds: float) -> None:
    try:
        plan = choose_plan(ways, seconds)
    except ValueError:
        assert min(one.seconds(1) for one in ways) > 1.1 * seconds
        return
    same = [one for one in ways if one.head_only == plan.way.head_only]
    off = abs(plan.seconds - seconds) / seconds
    least = 1 if plan.way.head_only else FEW_STEPS / plan.way.steps
    reachable = [
        one
        for one in same
        for epochs in (round((seconds - one.before - one.after) / one.epoch),)
        if max(1, least) <= epochs < 100_000 and abs(one.seconds(epochs) - seconds) < 0.999 * NEAR * seconds
    ]
    assert off <= NEAR * 1.001 or not reachable
    assert plan.epochs >= 1


@given(WORLDS, st.floats(25, 5000), st.floats(1, 10))
def test_more_time_never_gives_less(ways: list[Way], epochs: float, factor: float) -> None:
    # with epochs so short that their being whole does not matter
    seconds = max(one.before + epochs * one.epoch + one.after for one in ways)
    less, more = choose_plan(ways, seconds), choose_plan(ways, factor * seconds)
    assert more.way.head_only <= less.way.head_only
    assert min(more.steps, 400) >= min(less.steps, 400) or more.way.head_only < less.way.head_only
    if not less.way.head_only and less.steps >= 400:
        assert more.way.size >= less.way.size
