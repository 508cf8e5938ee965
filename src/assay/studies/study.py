"""What a study is: a base recipe, the rows of a table that change it, and what was published of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.base.registry import nearest
from assay.recipe.recipe import Recipe
from assay.studies.proxy import Proxy


@dataclass(frozen=True)
class Row:
    """A row of a study's table.

    Attributes:
        name: what differs, in words; unique in its study.
        changes: fields of the base that it changes, under dotted names.
        published: the report's accuracy, in percent.
        seconds: the report's time for one run.
        note: what the report says of the row.
        split: the split whose accuracy is meant: ``test``, or ``train``.
        after: fields that take the folder of a run that must come first, each with that run's recipe.
        control: the name of the row that it is compared with, where that is not the study's.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    published: float | None = None
    seconds: float | None = None
    note: str = ""
    split: str = "test"
    after: Mapping[str, Recipe] = field(default_factory=dict)
    control: str | None = None


@dataclass(frozen=True)
class Study:
    """A table that can be run.

    Attributes:
        name: by which the command line knows it.
        purpose: its question, in a line.
        base: the recipe that every row changes.
        rows: at least one; their names differ.
        control: the name of the row that the others are compared with; None where no row is one for all.
        pairs: with what rows that have a control of their own are compared, in words.
        source: where the published figures stand.
        protocol: how the source chose its figures.
        quick: what stands in for the published setting on a small machine; None where that is quick already.

    Raises:
        ValueError: no rows, two rows of one name, a control that is no row, or controls of both kinds.
    """

    name: str
    purpose: str
    base: Recipe
    rows: tuple[Row, ...]
    control: str | None = None
    source: str = ""
    protocol: str = ""
    quick: Proxy | None = None
    pairs: str = ""

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if not names:
            raise ValueError(f"study {self.name}: it has no rows")
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"study {self.name}: two rows are called {name!r}")
        has_own = any(row.control for row in self.rows)
        if has_own and (self.control is not None or not self.pairs):
            raise ValueError(
                f"study {self.name}: rows with a control of their own take pairs in words, and no other control"
            )
        for control in (self.control, *(row.control for row in self.rows)):
            if control is not None and control not in names:
                raise ValueError(f"study {self.name}: unknown control {control!r}: {nearest(control, names)}")

    def recipe(self, row: Row) -> Recipe:
        """The row's recipe at the published setting; fields of ``row.after`` are still without their folders.

        Raises:
            ValueError: names the row and what is wrong with its changes.
        """
        try:
            return self.base.but(row.changes)
        except ValueError as error:
            raise ValueError(f"study {self.name}, row {row.name!r}: {error}") from None
