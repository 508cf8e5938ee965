"""What a paper would say of a row: its effect, interval, test and runs, and no more than the verdict carries."""

from __future__ import annotations

from assay.studies.comparison import Comparison
from assay.studies.forms.words import points
from assay.studies.table import Line, Table
from assay.studies.verdict import FEWEST_RUNS, HELPS, HURTS, NO_DIFFERENCE


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
