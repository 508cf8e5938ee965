"""Durations as people write them."""

import pytest

from assay.base.duration import duration_in_words, parse_duration


@pytest.mark.parametrize(
    ("value", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), (" .5 m ", 30), (45, 45), (0.5, 0.5)]
)
def test_a_number_with_its_unit_or_seconds(value: str | float, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize("value", ["20", "20 minutes", "-3m", "1h30m", "m", "", "1e3s", "nanm"])
def test_other_texts_are_refused_with_examples(value: str) -> None:
    with pytest.raises(ValueError, match=r"as 90s, 20m or 1\.5h"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["0s", "1001h", 0, -1, float("nan"), float("inf")])
def test_durations_without_sense_are_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        parse_duration(value)


def test_durations_in_words() -> None:
    assert [duration_in_words(s) for s in (0.254, 48.2, 750, 11_520)] == ["0.25 s", "48 s", "12.5 min", "3.2 h"]
