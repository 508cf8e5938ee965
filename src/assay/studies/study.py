"""A study: a base recipe, the rows of a table that change it, and the published figures of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.base.registry import nearest
from assay.base.text import quoted
from assay.recipe.recipe import Recipe
from assay.studies.factorial.design import Design
from assay.studies.proxy import Proxy


@dataclass(frozen=True)
class Row:
    """A row of a study's table.

    Attributes:
        name: how the row differs, in words; unique in its study.
        changes: the fields of the base that it changes, under dotted names.
        published: the accuracy in the source, in percent.
        seconds: the source's time for one run.
        note: a remark of the source on the row.
        split: the split on which accuracy is measured: ``test`` or ``train``.
        after: fields that take the folder of a preparatory run, each with that run's recipe.
        control: the name of this row's own control, where the study has none for all rows.
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
        name: its name on the command line.
        purpose: its question, in a line.
        base: the recipe that every row changes.
        rows: one or more, under different names.
        control: the name of the row with which the others are compared; None where no row is a control for all.
        source: where the figures were published.
        protocol: how the source chose its figures, such as the highest test accuracy over all epochs.
        quick: a proxy of the published setting for a small machine; None where that setting is quick itself.
        pairs: describes the controls of rows that have their own, in words.
        notes: what the source leaves open or contradicts, and how the recipes came about, a line each.
        repeats: accuracies of the source's own repeated runs of one recipe, in percent: how far two of its single
            runs differ by chance.
        design: which factors of two values its rows combine; None where they are no such design.

    Raises:
        ValueError: there are no rows, two rows have the same name, a control is not a row, or the study has both a
            control for all rows and rows with their own.
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
    notes: tuple[str, ...] = ()
    repeats: tuple[float, ...] = ()
    design: Design | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if not names:
            raise ValueError(f"study {self.name}: it has no rows")
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"study {self.name}: two rows are called {quoted(name)}")
        # A row is compared with one control: with both kinds it would be unclear with which.
        has_own = any(row.control for row in self.rows)
        if has_own and (self.control is not None or not self.pairs):
            raise ValueError(
                f"study {self.name}: rows with a control of their own take pairs in words, and no other control"
            )
        for control in (self.control, *(row.control for row in self.rows)):
            if control is not None and control not in names:
                raise ValueError(f"study {self.name}: unknown control {quoted(control)}: {nearest(control, names)}")

    @property
    def controls(self) -> frozenset[str]:
        """The names of the rows with which others are compared."""
        return frozenset(name for name in (self.control, *(row.control for row in self.rows)) if name is not None)

    def recipe(self, row: Row) -> Recipe:
        """Return the row's recipe at the published setting; the fields of ``row.after`` are still empty.

        Raises:
            ValueError: names the row and what is wrong with its changes.
        """
        try:
            return self.base.but(row.changes)
        except ValueError as error:
            raise ValueError(f"study {self.name}, row {quoted(row.name)}: {error}") from None


def common_name(names: Sequence[str]) -> str:
    """Return the parts between commas that all names share: ``VGG-A`` of ``VGG-A, lr 0.1`` and ``VGG-A, lr 0.2``."""
    parts = [name.split(", ") for name in names]
    return ", ".join(part for part in parts[0] if all(part in others for others in parts)) or names[0]
