"""A study's table as Markdown, LaTeX, CSV and on a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table as Grid
from rich.text import Text
from tabulate import LATEX_ESCAPE_RULES, tabulate

from assay.statistics import Difference, Estimate
from assay.studies.table import Line, Table
from assay.studies.words import footnotes, header, points
from assay.tables import to_csv

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MISSING = "—"
_NARROW, _NARROWEST = 80, 60  # columns of a terminal, below which less is shown
_STYLES = {
    "same direction": "green",
    "better": "green",
    "opposite": "red",
    "worse": "red",
    "failed": "red",
    "not distinguishable": "bright_black",
}


@dataclass(frozen=True)
class _Column:
    title: str
    cell: Callable[[Line], str]
    words: bool = False  # not a number


def as_markdown(table: Table) -> str:
    """A heading list of the setting, the table, its footnotes."""
    columns = _columns(table)
    body = tabulate(
        [[_markdown(column.cell(line)) for column in columns] for line in table.lines],
        headers=[column.title for column in columns],
        tablefmt="pipe",
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )
    above = [f"- {label}: {_markdown(words)}" for label, words in header(table.setting).items()]
    below = [f"- {_markdown(note)}" for note in footnotes(table)]
    return "\n\n".join(["\n".join(above), body, "\n".join(below)]).rstrip() + "\n"


def as_latex(table: Table) -> str:
    """A floating table whose caption holds the setting; it needs the packages booktabs and graphicx."""
    columns = _columns(table)
    body = tabulate(
        [[" ".join(column.cell(line).split()) for column in columns] for line in table.lines],
        headers=[column.title for column in columns],
        tablefmt="latex_booktabs",
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )
    body = re.sub(r"\n (?=[\[*])", r"\n {}", body)  # else a name in brackets or with a star is taken for an option
    caption = " ".join(_sentence(label, words) for label, words in header(table.setting).items())
    notes = [rf"\par\footnotesize {_latex(note)}" for note in footnotes(table)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(caption)}}}",
            r"\resizebox{\textwidth}{!}{%",
            f"{body}}}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def as_csv(table: Table) -> str:
    """A line for each row with every number in full precision; each says by itself under what it was measured."""
    return to_csv([_record(table, line) for line in table.lines]).decode()


def as_rich(table: Table) -> RenderableType:
    """For a terminal: what can be concluded, and below it what each row costs; below 80 columns, fewer figures."""
    return _OnTerminal(table)


@dataclass(frozen=True)
class _OnTerminal:
    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        yield _about(self.table)
        yield _grid(self.table, _conclusions(self.table, width))
        if any(line.runs for line in self.table.lines):
            yield _grid(self.table, _costs()[: 4 if width < _NARROWEST else None])
        notes = footnotes(self.table)
        if width < _NARROW:
            notes.append("Columns are left out for want of room; the table as Markdown or CSV has all.")
        for note in notes:
            yield Text(note, style="bright_black")


def _about(table: Table) -> Grid:
    about = Grid.grid(padding=(0, 1))
    about.add_column()
    about.add_column(overflow="fold")
    for label, words in header(table.setting).items():
        about.add_row(Text(label, style="bright_black"), Text(words))
    return about


def _grid(table: Table, columns: Sequence[_Column]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "left" if column.words else "right"
        grid.add_column(column.title, justify=justify, no_wrap=column.title != "row", overflow="fold")
    for line in table.lines:
        style = _STYLES.get(line.verdict, "")
        cells = (Text(column.cell(line), style=style if column.title == "verdict" else "") for column in columns)
        grid.add_row(*cells)
    return grid


def accuracy(about: Estimate, between: str = " ") -> str:
    """The mean and the half-width of its interval, as ``78.62 ± 0.41``."""
    if about.n == 0:
        return _MISSING
    return f"{about.mean:.2f}{'' if math.isnan(about.half_width) else f'{between}± {about.half_width:.2f}'}"


def difference(about: Difference | None, between: str | None = " ") -> str:
    """The mean and its interval, as ``-4.55 [-5.12, -3.98]``; without the interval where nothing stands between."""
    if about is None:
        return _MISSING
    limits = "" if between is None or math.isnan(about.low) else f"{between}[{about.low:z.2f}, {about.high:z.2f}]"
    return f"{about.mean:+z.2f}{limits}"


def quantity(count: float | None) -> str:
    """Three figures and a unit, as ``1.33 M``."""
    if count is None:
        return _MISSING
    for size, unit in _UNITS:
        if count >= 0.9995 * size:
            return f"{f'{count / size:#.3g}'.rstrip('.')} {unit}"
    return f"{count:.0f}"


def rate(number: float) -> str:
    """Whole, with commas; two figures below 10."""
    if math.isnan(number):
        return _MISSING
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _columns(table: Table) -> list[_Column]:
    planned = len(table.setting.seeds)
    return [
        _Column("row", lambda line: line.name, words=True),
        _Column("published", lambda line: _number(line.published)),
        _Column("measured", lambda line: accuracy(line.estimate)),
        *_held_out(table),
        _Column("published difference", lambda line: _number(line.published_difference, "+z.2f")),
        _Column("difference", lambda line: difference(line.difference)),
        _Column("p", lambda line: _MISSING if math.isnan(line.p) else f"{line.p:.2g}"),
        _Column("verdict", marked_verdict, words=True),
        _Column("runs", lambda line: f"{line.runs}/{planned}"),
        _Column(f"seeds for {points(table.wanted)}", lambda line: _number(line.seeds_needed, "d")),
        *_costs()[1:],
        *_published_seconds(table),
    ]


def _conclusions(table: Table, width: int) -> list[_Column]:
    """Without what a footnote says or the verdict sums up; an interval stands below its difference."""
    planned = len(table.setting.seeds)
    row = _Column("row", lambda line: f"{line.name}{_unfinished(line, planned)}", words=True)
    between = " " if width >= _NARROW else "\n"
    verdict = _Column("verdict", lambda line: marked_verdict(line).replace(" ", between), words=True)
    if width < _NARROWEST:
        measured = _Column("measured", lambda line: accuracy(line.estimate, "\n"))
        return [row, measured, _Column("diff.", lambda line: difference(line.difference, None)), verdict]
    return [
        row,
        *([_Column("publ.", lambda line: _number(line.published))] if width >= _NARROW else []),
        _Column("measured", lambda line: accuracy(line.estimate)),
        *_held_out(table, "held\nout"),
        _Column("difference", lambda line: difference(line.difference, "\n")),
        verdict,
    ]


def _costs() -> list[_Column]:
    return [
        _Column("row", lambda line: line.name, words=True),
        _Column("parameters", lambda line: quantity(line.parameters)),
        _Column("FLOPs", lambda line: quantity(line.flops)),
        _Column("seconds", lambda line: rate(line.seconds)),
        _Column("images/s", lambda line: rate(line.images_per_second)),
    ]


def _held_out(table: Table, title: str = "held-out") -> list[_Column]:
    if all(line.held_out is None for line in table.lines):
        return []
    return [_Column(title, lambda line: _number(line.held_out))]


def _published_seconds(table: Table) -> list[_Column]:
    if all(line.published_seconds is None for line in table.lines):
        return []
    return [_Column("published seconds", lambda line: _number(line.published_seconds, ",.0f"))]


def marked_verdict(line: Line) -> str:
    """The verdict, with a dagger where it rests on one seed."""
    return f"{line.verdict} †" if line.test == "mcnemar" else line.verdict


def _unfinished(line: Line, planned: int) -> str:
    return f" ({line.runs} of {planned} runs)" if 0 < line.runs < planned else ""


def _number(value: float | None, form: str = ".2f") -> str:
    return _MISSING if value is None else format(value, form)


def _markdown(text: str) -> str:
    """Text that no renderer takes for markup, a link, a character's code or the end of a cell."""
    markup = r"[\\|*`<~$]|(?<!\w)_|_(?!\w)|\](?=[(\[:])|&(?=#?\w+;)"
    return re.sub(markup, r"\\\g<0>", " ".join(text.split()))


def _latex(text: str) -> str:
    """In one paragraph: a caption takes no other."""
    return "".join(LATEX_ESCAPE_RULES.get(character, character) for character in " ".join(text.split()))


def _sentence(label: str, words: str) -> str:
    return f"{label[0].upper()}{label[1:]}: {words}{'' if words[-1] in '.?!' else '.'}"


def _record(table: Table, line: Line) -> dict[str, Any]:
    """Missing numbers are left empty."""
    paired = line.difference
    record = {
        **_of_table(table),
        "row": line.name,
        "split": line.split,
        "published_percent": line.published,
        "published_difference_points": line.published_difference,
        "accuracy_percent": line.estimate.mean,
        "accuracy_std_points": line.estimate.std,
        "interval_low_percent": line.estimate.low,
        "interval_high_percent": line.estimate.high,
        "held_out_selection_accuracy_percent": line.held_out,
        "runs": line.runs,
        "accuracies_percent": " ".join(f"{seed}:{value}" for seed, value in line.accuracies.items()),
        "difference_points": paired and paired.mean,
        "difference_std_points": paired and paired.std,
        "difference_low_points": paired and paired.low,
        "difference_high_points": paired and paired.high,
        "pairs": paired and paired.n,
        "test": line.test,
        "p_uncorrected": line.p_uncorrected,
        "p_corrected": line.p,
        "rows_compared": table.compared,
        "verdict": line.verdict,
        "seeds_needed": line.seeds_needed,
        "parameters": line.parameters,
        "flops_per_image": line.flops,
        "seconds_per_run": line.seconds,
        "published_seconds_per_run": line.published_seconds,
        "images_per_second": line.images_per_second,
        "failures": "; ".join(line.failures),
        "note": line.note,
    }
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in record.items()}


def _of_table(table: Table) -> dict[str, Any]:
    """What a line says of the whole table, so that it can be cut out of it."""
    setting = table.setting
    return {
        "study": setting.study,
        "purpose": setting.purpose,
        "budget": setting.budget,
        "budget_in_words": setting.budget_in_words,
        "selection": setting.selection,
        "changes": setting.changes,
        "control": setting.control,
        "planned_runs": len(setting.seeds),
        "seeds": " ".join(map(str, setting.seeds)),
        "wanted_points": table.wanted,
        "source": setting.source,
        "protocol": setting.protocol,
        "hardware": setting.hardware,
        "command": setting.command,
    }
