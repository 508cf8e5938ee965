"""The header of a model file: one line names the file and the field that is out of range."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assay.classifier.header import Header

GOOD: dict[str, Any] = {
    "version": "1",
    "architecture": {"name": "simple-cnn"},
    "classes": ["a", "b"],
    "preprocessing": {"channels": 1, "stored": 8, "size": 16, "mean": [0.5], "std": [0.25]},
}


def with_field(name: str, value: object) -> str:
    """A header in which the field of that dotted name has another value."""
    header = json.loads(json.dumps(GOOD))
    *sections, field = name.split(".")
    place = header
    for section in sections:
        place = place.setdefault(section, {})
    place[field] = value
    return json.dumps(header)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 1),
        ("architecture", []),
        ("architecture", {}),
        ("architecture.name", 5),
        ("architecture.width", [1]),
        ("classes", None),
        ("classes", []),
        ("classes", ["a", 1]),
        ("classes", ["a", "a"]),
        ("preprocessing", None),
        ("preprocessing.channels", 2),
        ("preprocessing.channels", True),
        ("preprocessing.stored", 200_000),
        ("preprocessing.stored", 17),
        ("preprocessing.size", 0),
        ("preprocessing.size", 16.5),
        ("preprocessing.size", 8193),
        ("preprocessing.mean", [0.5] * 7),
        ("preprocessing.mean", [0.5] * 3),
        ("preprocessing.mean", ["dark"]),
        ("preprocessing.std", [0.0]),
        ("preprocessing.std", [float("inf")]),
        ("preprocessing.std", [float("nan")]),
        ("preprocessing.std", []),
        ("preprocessing.crop_pct", 0),
        ("preprocessing.crop_pct", 1.01),
        ("preprocessing.interpolation", "cubic"),
        ("preprocessing.more", 1),
        ("data", None),
        ("data.name", [1]),
        ("data.name", "digits"),  # without how it was cut
        ("data.held_out", 1.0),
        ("data.folds", True),
        ("data.images", {"test": 5}),
        ("metrics", [1]),
        ("metrics.views", ["flip"]),
        ("metrics.test_augmented", "no"),
        ("metrics.epoch", -1),
        ("pretrained_input", [1]),
        ("pretrained_input.std", [0.0]),
    ],
)
def test_a_field_out_of_range_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"^m\.safetensors: the field ") as refusal:
        Header.parse(with_field(field, value), Path("m.safetensors"))
    text = str(refusal.value)
    assert field.split(".")[0] in text
    assert "\n" not in text
    assert len(text) < 300


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("metrics", [1], "the field metrics of its header: should be a mapping, not [1]"),
        ("preprocessing.mean", [0.5] * 7, "preprocessing.mean of its header: list should have at most 3 items, not 7"),
        ("preprocessing.std", [0.0], "input should be greater than or equal to 0.000001, not 0.0"),
        ("classes", ["a", "a"], "each class should have a name of its own, 'a' is there twice"),
    ],
)
def test_the_line_says_what_is_expected(field: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(words)}$"):
        Header.parse(with_field(field, value), Path("m.safetensors"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "[1]"])
def test_what_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^m\.safetensors: its header is not"):
        Header.parse(text, Path("m.safetensors"))


def test_values_that_are_nested_without_end_are_refused() -> None:
    deep = "[" * 500 + "]" * 500
    with pytest.raises(ValueError, match=r"^m\.safetensors: "):
        Header.parse(json.dumps(GOOD)[:-1] + f', "metrics": {{"more": {deep}}}}}', Path("m.safetensors"))


def test_a_crop_that_enlarges_beyond_measure_is_refused() -> None:
    header = Header.parse(with_field("preprocessing.crop_pct", 1e-9), Path("m.safetensors"))
    with pytest.raises(ValueError, match="crop_pct 1e-09: images of 16000000000 pixels a side; expected at most 8192"):
        header.input()


def test_other_fields_are_kept_where_they_are_measures_and_ignored_else() -> None:
    metrics = {"epoch": 3, "test": {"accuracy": 0.5, "loss": float("nan"), "interval": [0.1, 0.9]}}
    header = Header.parse(json.dumps({**GOOD, "metrics": metrics, "later": 1}), Path("m.safetensors"))
    assert json.dumps(header.metrics.given()) == json.dumps(metrics)
    assert header.data.given() == {}
    assert header.input_of_weights() is None


def test_names_that_are_not_utf8_are_names_of_classes() -> None:
    header = Header.parse(with_field("classes", ["cat", "caf\udce9"]), Path("m.safetensors"))
    assert header.classes == ["cat", "caf\udce9"]
