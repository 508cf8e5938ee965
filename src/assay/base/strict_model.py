"""The base of typed groups of fields, frozen and strict about names; and the ranges that several of them use."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

Fraction = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class StrictModel(BaseModel):
    """A frozen group of fields; unknown ones are refused, and infinities are out of every range.

    To Python and to pydantic ``true`` is the number 1; to somebody who wrote it into a recipe it is not. Nor is an
    empty text a name: a variable of a shell that was not set gives one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,  # a field's docstring is its help on the command line
        coerce_numbers_to_str=True,  # a folder may be called 2024
        str_min_length=1,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(one, bool) for one in values):
            kinds = _types(cls.model_fields[str(info.field_name)].annotation)
            if kinds & {int, float} and bool not in kinds:
                raise PydanticCustomError("number_type", "a boolean is no number")
        return value


def _types(annotation: Any) -> set[Any]:
    """The types that an annotation names, at any depth: those of ``tuple[float, ...] | None`` too."""
    inner = [_types(part) for part in get_args(annotation)]
    return set().union(*inner) if inner else {annotation} if isinstance(annotation, type) else set()
