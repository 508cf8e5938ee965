"""The input that pretrained weights were trained on beside the one that a network gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.data.preprocess import Preprocessing
from assay.models.weights import InputForm

# Convolutional networks recognise objects at other sizes than those of their training, but worse the farther these are
# apart (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
_FAR = 1.5
_NOTICEABLE = 0.1


@dataclass(frozen=True)
class InputField:
    """One property of the input.

    Attributes:
        name: the field of a recipe that sets it: ``data.size``.
        wanted: its value in words, in the training of the weights; empty if it is not known, or for no crop.
        used: its value in words, here; empty for no crop.
        differs: whether that matters to the weights: another interpolation; a side of more than 1.5 times the other;
            a mean that is off by more than a tenth of the standard deviation; a deviation off by more than a tenth.
    """

    name: str
    wanted: str
    used: str
    differs: bool


def compare_input(wanted: InputForm, used: Preprocessing) -> list[InputField]:
    """Return the properties of the input of ``wanted``, the weights, beside those of ``used``."""
    sides = (wanted.size or used.size, used.size)
    return [
        _field("size", wanted.size, used.size, max(sides) > _FAR * min(sides)),
        _field("crop_pct", wanted.crop_pct, used.crop_pct, False),
        _field("interpolation", wanted.interpolation, used.interpolation, wanted.interpolation != used.interpolation),
        _field("mean", wanted.mean, used.mean, _is_off(wanted.mean, used.mean, wanted.std)),
        _field("std", wanted.std, used.std, _is_off(wanted.std, used.std, wanted.std)),
    ]


def differences_in_words(fields: Sequence[InputField]) -> str:
    """Name the properties that differ, in a line; empty if none does."""
    return "; ".join(f"{field.name} {field.used}, not {field.wanted}" for field in fields if field.differs)


def _field(name: str, wanted: object, used: object, differs: bool) -> InputField:
    return InputField(f"data.{name}", _in_words(wanted), _in_words(used), differs and wanted is not None)


def _is_off(wanted: Sequence[float] | None, used: Sequence[float], unit: Sequence[float] | None) -> bool:
    """Whether any channel is off by a noticeable part of the unit, or the number of channels differs."""
    if wanted is None or unit is None or len(wanted) != len(used):
        return True
    return any(abs(a - b) > _NOTICEABLE * one for a, b, one in zip(wanted, used, unit, strict=True))


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_in_words(one) for one in value)}]"
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
