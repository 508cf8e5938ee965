"""The base of typed groups of fields, frozen and strict about names; and the ranges that several of them use."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class StrictModel(BaseModel):
    """A frozen group of fields; unknown ones are refused, and infinities are out of every range."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,  # a field's docstring is its help on the command line
        coerce_numbers_to_str=True,  # a folder may be called 2024
    )
