"""The input of weights beside that of a network: by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.classifier.input_comparison import compare_input, differences_in_words
from assay.data.preprocess import Preprocessing
from assay.models.weights import InputForm

WANTED = InputForm(224, "bicubic", 0.875, (0.5, 0.5, 0.4), (0.5, 0.5, 0.2))
USED = Preprocessing(3, 224, 224, (0.5, 0.5, 0.4), (0.5, 0.5, 0.2), 0.875, "bicubic")


def test_equal_inputs() -> None:
    fields = compare_input(WANTED, USED)
    assert [field.name for field in fields] == [
        *("data.size", "data.crop_pct", "data.interpolation", "data.mean", "data.std")
    ]
    assert all(field.wanted == field.used for field in fields)
    assert fields[3].used == "[0.5, 0.5, 0.4]"
    assert not any(field.differs for field in fields)
    assert differences_in_words(fields) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 150}, ""),  # less than 1.5 times smaller
        ({"size": 149}, "data.size 149, not 224"),
        ({"size": 336}, ""),
        ({"size": 337}, "data.size 337, not 224"),
        ({"crop_pct": None}, ""),
        ({"interpolation": "bilinear"}, "data.interpolation bilinear, not bicubic"),
        ({"mean": (0.5, 0.5, 0.4199)}, ""),  # a tenth of the deviation is 0.02
        ({"mean": (0.5, 0.5, 0.4201)}, "data.mean [0.5, 0.5, 0.4201], not [0.5, 0.5, 0.4]"),
        ({"std": (0.451, 0.549, 0.2)}, ""),
        ({"std": (0.449, 0.5, 0.2)}, "data.std [0.449, 0.5, 0.2], not [0.5, 0.5, 0.2]"),
        ({"mean": (0.5,), "std": (0.5,)}, "data.mean [0.5], not [0.5, 0.5, 0.4]; data.std [0.5], not [0.5, 0.5, 0.2]"),
    ],
)
def test_what_differs(changes: dict[str, object], words: str) -> None:
    assert differences_in_words(compare_input(WANTED, replace(USED, **changes))) == words


def test_what_is_not_known_does_not_differ() -> None:
    fields = compare_input(InputForm(), USED)
    assert {field.wanted for field in fields} == {""}
    assert not any(field.differs for field in fields)
