"""A sequential plan: a study looks at its verdicts after so many seeds, and only rows that are undecided get more.

Each look spends a part of the level that is fixed beforehand: by Bonferroni's inequality a false claim at any look is
at most as probable as their sum. Without that, tests that are repeated as data come in find something in the end
(Armitage et al. 1969, Repeated significance tests on accumulating data). ``docs/statistics.md`` has the error rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from assay.base.numbers import is_count
from assay.studies.plan import Plan
from assay.studies.results import RowResults, StudyResults
from assay.studies.table import Line, Table, judged, make_table
from assay.studies.verdict import CANNOT_TELL, FEWEST_RUNS, LEVEL, SPENT

LOOKS = (3, 5, 10)
"""seeds of a row at each look, where none are named"""


def check_looks(looks: Sequence[int]) -> None:
    """Raise ``ValueError`` unless these are two or three growing numbers of seeds, the first enough for verdicts."""
    grows = all(map(is_count, looks)) and list(looks) == sorted(set(looks))
    if len(looks) not in SPENT or not grows or looks[0] < FEWEST_RUNS:
        text = ",".join(map(str, looks))
        raise ValueError(f"seeds: expected two or three growing numbers from {FEWEST_RUNS} on, as 3,5,10, not {text}")


def judge(results: StudyResults, margin: float) -> Table:
    """Return a study's table; of a sequential plan that after its last look which is complete.

    Its p values are corrected for the looks too: of a row's p values, each in proportion to the part of the level that
    its look spends, the smallest counts.
    """
    return _at_looks(results, margin) if results.setting.looks else make_table(results, margin)


def stages(plan: Plan, until_decided: bool, table: Callable[[], Table]) -> Iterator[Plan]:
    """Yield what is to be run of a plan, each part once the one before has been run.

    Args:
        plan: with looks or without; without, it is one part.
        until_decided: go on beyond the first look, until each row is decided or the plan is spent.
        table: makes the table of all that has been run.
    """
    looks = plan.setting.looks
    if not looks:
        yield plan
        return
    counts = dict.fromkeys((row.name for row in plan.study.rows if row.name not in plan.study.controls), looks[0])
    yield _part(plan, counts)
    for look in looks[1:] if until_decided else ():
        undecided = {line.name for line in table().lines if line.verdict == CANNOT_TELL}
        if not undecided:
            return
        counts |= dict.fromkeys(undecided, look)
        yield _part(plan, counts)


def _part(plan: Plan, counts: Mapping[str, int]) -> Plan:
    """The plan with so many runs of each row, and all of a control: it takes part in every comparison."""
    jobs = {row: dict(list(own.items())[: counts.get(row)]) for row, own in plan.jobs.items()}
    return replace(plan, jobs=jobs)


def _at_looks(results: StudyResults, margin: float) -> Table:
    looks, controls = results.setting.looks, _controls(results)
    most = len(results.setting.seeds_of(is_control=True))
    counts: dict[str, int] = {}  # of the rows that are decided
    p: dict[str, tuple[float, float]] = {}
    table, done = make_table(_until(results, looks[0], counts), margin), 0
    for look, spent in zip(looks, SPENT[len(looks)], strict=True):
        part = _until(results, look, counts)
        wanted = {
            row.row.name: most if row.row.name in controls else counts.get(row.row.name, look) for row in part.rows
        }
        if any(len(row.results) + len(row.failures) < wanted[row.row.name] for row in part.rows):
            break  # the look is not complete
        table, done = make_table(part, margin), done + 1
        for line in table.lines:
            if line.name not in counts:
                before = p.get(line.name, (1.0, 1.0))
                p[line.name] = (_smaller(before[0], line.p, spent), _smaller(before[1], line.p_equivalent, spent))
                if min(p[line.name]) < LEVEL:
                    counts[line.name] = look
        if all(line.name in counts for line in table.lines if line.difference):
            break
    lines = tuple(_with_p(line, *p.get(line.name, (1.0, 1.0)), table) for line in table.lines)
    return replace(table, lines=lines, looks_done=done)


def _smaller(before: float, p: float, spent: float) -> float:
    return before if math.isnan(p) else min(before, p * LEVEL / spent)


def _with_p(line: Line, p: float, p_equivalent: float, table: Table) -> Line:
    """The line with its p values over all looks, and the verdicts that follow; as it is where nothing is tested."""
    if line.difference is None:
        return line
    return judged(replace(line, p=p, p_equivalent=p_equivalent), table.margin, table.setting.repeats)


def _until(results: StudyResults, look: int, counts: Mapping[str, int]) -> StudyResults:
    """The results with so many seeds of each row: others may have done more. A control keeps all of its own."""
    controls, seeds = _controls(results), results.setting.seeds
    rows = tuple(
        row if row.row.name in controls else _with_seeds(row, seeds[: counts.get(row.row.name, look)])
        for row in results.rows
    )
    return replace(results, rows=rows)


def _controls(results: StudyResults) -> frozenset[str | None]:
    return frozenset({results.setting.control, *(row.row.control for row in results.rows)})


def _with_seeds(row: RowResults, seeds: Sequence[int]) -> RowResults:
    return replace(
        row,
        results=tuple(result for result in row.results if result.seed in seeds),
        failures={seed: reason for seed, reason in row.failures.items() if seed in seeds},
        diverged=tuple(seed for seed in row.diverged if seed in seeds),
    )
