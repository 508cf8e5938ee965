"""The input that pretrained weights were trained on: what a run takes of it, and where its own differs."""

from __future__ import annotations

from collections.abc import Iterator

from assay.classifier.input_comparison import compare_input, differences_in_words
from assay.data.preprocess import Preprocessing, Wanted
from assay.models.weights import InputForm, Pretrained
from assay.training.checkpoint import State


def wanted_by(form: InputForm | None) -> Wanted:
    """The input that a new run takes over where its recipe leaves it open; all is left open without weights."""
    if form is None:
        return Wanted()
    if form.mean is None or len(form.mean) != 3:  # weights of gray images do not turn colour images gray
        return Wanted(form.size, form.crop_pct, form.interpolation)
    return Wanted(**form.to_dict(), channels=3)


def pretrained_input_in(state: State | None) -> InputForm | None:
    """The input that the weights with which the run began were trained on; None without such, or if not known."""
    values = state.get("pretrained_input") if state else None  # checkpoints of earlier versions lack it
    return InputForm.from_dict(values) if values else None


def decided_in(state: State) -> Wanted:
    """The input that was decided when the run began."""
    fields = ("size", "crop_pct", "interpolation", "mean", "std", "channels")
    return Wanted(**{name: state["preprocessing"][name] for name in fields})


def input_notes(pretrained: Pretrained, used: Preprocessing) -> Iterator[str]:
    """Say which input was assumed for weights that do not tell theirs, and where the run's own differs from it."""
    if pretrained.preprocessing is None:
        return
    fields = compare_input(pretrained.preprocessing, used)
    if pretrained.assumed:
        own = ", ".join(f"{field.name} {field.wanted}" for field in fields if field.wanted)
        yield f"{pretrained.origin} does not say its input; that of {pretrained.assumed} is assumed: {own}"
    if differences := differences_in_words(fields):
        yield f"the input is not that of the weights: {differences}"
