"""What a paper would say of a row and of a table: effects, intervals, runs, and no more than the verdicts carry."""

from __future__ import annotations

from collections.abc import Sequence

from assay.studies.comparison import Comparison
from assay.studies.forms.words import points
from assay.studies.table import Line, Table
from assay.studies.verdict import CANNOT_TELL, FEWEST_RUNS, HELPS, HURTS, NO_DIFFERENCE

_NAMED = 4  # rows of which nothing can be told: more than so many are only counted


def sentence(line: Line, table: Table) -> str:
    """Return the sentence on a row that has a control with runs."""
    about = line.difference
    if about is None:
        raise ValueError(f"{line.name}: it is not compared with a control")
    control = line.row.control or table.setting.control
    parts = [
        f"{line.name} has {line.estimate.mean:.2f} % against {line.estimate.mean - about.mean:.2f} % of {control}, "
        f"a difference of {about.mean:+.2f} points ({'; '.join(_evidence(line, about, table))}):",
        f"{_conclusion(line, about, table)}.",
    ]
    if line.diverged:
        count = len(line.diverged)
        parts.append(f"{count} of its {line.runs} runs diverged and count{'s' * (count == 1)} as guessing.")
    return " ".join(parts)


def summary(table: Table) -> str:
    """Return what a person would say of a study: what helps, hurts, makes no difference or cannot be told, and by what.

    Empty where no row is compared with a control, and where no run has ended.
    """
    said = [
        text
        for verdict, words in (
            (HELPS, "helps"),
            (HURTS, "hurts"),
            (NO_DIFFERENCE, f"{NO_DIFFERENCE} of {points(table.margin)}"),
        )
        if (text := _effects(table, verdict, words))
    ]
    doubtful = [_called(line.name) for line in table.lines if line.verdict == CANNOT_TELL]
    if doubtful:
        names = _listed(doubtful) if len(doubtful) <= _NAMED else f"{len(doubtful)} {'others' if said else 'rows'}"
        said.append(f"whether {names} help{'s' * (len(doubtful) == 1)} cannot be told")
    if not said:
        return ""
    control = table.setting.control
    against = f"Against {control}: " if control and not any(line.row.control for line in table.lines) else ""
    text = f"{against}{'; '.join(said)}"
    return f"{text[0].upper()}{text[1:]}. {_of_design(table)}{_basis(table)}"


def _effects(table: Table, verdict: str, words: str) -> str:
    """The rows of a verdict with their differences and intervals, the largest effect first; empty without any."""
    found = [(line, line.difference) for line in table.lines if line.verdict == verdict and line.difference]
    found.sort(key=lambda pair: -abs(pair[1].mean))
    return ", ".join(
        f"{_called(line.name)}{f' (against {line.row.control})' if line.row.control else ''} {words} "
        f"({about.mean:+.2f} points, 95 % interval {about.low:+.2f} to {about.high:+.2f})"
        for line, about in found
    )


def _of_design(table: Table) -> str:
    """The main effects and interactions of which something can be told; empty without any."""
    found = [
        f"{one.name} {one.verdict} ({one.points:+.2f} points, 95 % interval {one.low:+.2f} to {one.high:+.2f}"
        f"{''.join(f'; or {other}' for other in one.aliases)})"
        for one in table.effects
        if one.verdict != CANNOT_TELL
    ]
    return f"Over all rows: {', '.join(found)}. " if found else ""


def _basis(table: Table) -> str:
    """On how many runs, and at which budget, that rests."""
    compared = [line.difference for line in table.lines if line.difference]
    ours, theirs = (_range([getattr(about, name) for about in compared]) for name in ("n", "control_n"))
    few = min(min(about.n, about.control_n) for about in compared) < FEWEST_RUNS
    short = f" Fewer than {FEWEST_RUNS} runs of a row or of its control tell nothing." if few else ""
    setting = table.setting
    budget = (
        "the published setting" if setting.budget == "full" else f"budget {setting.budget}, not the published setting"
    )
    return f"{ours} run{'s' * (ours != '1')} of a row, {theirs} of its control; {budget}.{short}"


def _range(counts: Sequence[int]) -> str:
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _listed(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _called(name: str) -> str:
    """The row's name, in quotes where it would fall apart in a list."""
    return f'"{name}"' if "," in name or ";" in name else name


def _evidence(line: Line, about: Comparison, table: Table) -> list[str]:
    runs = f"{about.n} and {about.control_n} runs"
    if line.test != "welch":
        images = f"McNemar's test on the images of one seed, p = {line.p:.2g}"
        return [images, runs] if line.test else [runs]
    return [
        f"95 % interval {about.low:+.2f} to {about.high:+.2f}",
        f"moderated Welch test, p = {line.p:.2g} after Holm's correction over {table.compared} "
        f"row{'s' * (table.compared != 1)}",
        runs,
    ]


def _conclusion(line: Line, about: Comparison, table: Table) -> str:
    if line.verdict in (HELPS, HURTS):
        return f"it {line.verdict}"
    if line.verdict == NO_DIFFERENCE:
        return (
            f"it makes no difference of {points(table.margin)} (two one-sided tests, p = {line.p_equivalent:.2g} "
            "after the same correction)"
        )
    if min(about.n, about.control_n) < FEWEST_RUNS:
        return f"whether it helps cannot be told from fewer than {FEWEST_RUNS} runs"
    return "whether it helps cannot be told"
