"""The words around a study's table in all its forms: its setting, and footnotes on how to read it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from assay.classifier.accuracy import few_images
from assay.run.selection import SELECTION
from assay.studies.factorial.effects import INTERACTION, MAIN
from assay.studies.results import Setting
from assay.studies.splits import Part
from assay.studies.table import PUBLISHED, Ranking, Table
from assay.studies.verdict import CANNOT_TELL, FEWEST_RUNS, LEVEL, SPENT, source_noise


def header(setting: Setting) -> dict[str, str]:
    """Return the setting as text by label, in the order of printing, without what is unknown."""
    texts = {
        "study": setting.study,
        "purpose": setting.purpose,
        "source": setting.source,
        "published protocol": setting.protocol,
        "budget": _budget(setting),
        "epoch chosen": SELECTION.get(setting.selection, setting.selection),
        "seeds": ", ".join(map(str, setting.seeds)),
        "looks": f"at {', '.join(map(str, setting.looks))} seeds of a row" if setting.looks else "",
        "seeds of controls": ", ".join(map(str, setting.control_seeds)),
        "control": setting.control or "",
        "changed in all rows": setting.changes,
        "hardware": setting.hardware,
        "code": _code(setting),
        "run again with": setting.command,
    }
    return {label: words for label, words in texts.items() if words}


def in_short(setting: Setting) -> str:
    """Return the setting in a line, for the caption of a figure."""
    budget = "full setting" if setting.budget == "full" else _budget(setting)
    if not setting.seeds:  # runs of others, of which no more is known
        return SELECTION.get(setting.selection, setting.selection) or setting.source
    changes = f"; changed: {setting.changes}" if setting.changes else ""
    seeds = f"{len(setting.seeds)} seed{'s' * (len(setting.seeds) != 1)}"
    if setting.looks:
        seeds = f"{' or '.join(map(str, setting.looks))} seeds"
    more = f", {len(setting.control_seeds)} of a control" if setting.control_seeds else ""
    return f"{budget}{changes}; {seeds}{more}; {SELECTION.get(setting.selection, setting.selection)}"


def points(difference: float) -> str:
    """Write a difference in percentage points, as ``1 point``."""
    return f"{difference:g} point{'s' * (difference != 1)}"


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Write seeds, as ``seeds 0, 2``."""
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}"


def footnotes(table: Table) -> list[str]:
    """Return how to read the table, and what is missing from it: only notes that apply to it."""
    notes = (f"The source on {line.name}: {line.row.note}." for line in table.lines if line.row.note)
    return [
        *table.setting.notes,
        *_on_statistics(table),
        *_on_rows(table),
        *_on_effects(table),
        *_on_failures(table),
        *notes,
    ]


def _budget(setting: Setting) -> str:
    if not setting.budget:
        return ""
    words = f"{setting.budget}: {setting.budget_in_words}" if setting.budget_in_words else setting.budget
    return words if setting.budget == "full" else f"{words}; published figures are of the full setting"


def _code(setting: Setting) -> str:
    version = f"version {setting.code}" if setting.code else ""
    commits = f"commit{'s' * (len(setting.commits) != 1)} {', '.join(setting.commits)}" if setting.commits else ""
    return ", ".join(filter(None, (version, commits)))


def _on_statistics(table: Table) -> Iterator[str]:
    lines = table.lines
    if any(line.runs > 1 for line in lines):
        yield (
            "± are 95 % intervals over seeds (Student's t), [low, high] those of Welch's test; "
            "neither covers the choice of test images."
        )
    step = max((line.step for line in lines if line.runs > 1), default=0.0)
    if step:
        yield (
            f"Accuracies come in steps of one test image ({step:.2g} points), so a few may be equal by chance: "
            "a standard deviation over seeds counts as at least one step."
        )
    parts = [
        f"{line.name}: {line.estimate.std:.2f} and {line.images_deviation:.2f}"
        for line in lines
        if not math.isnan(line.images_deviation)
    ]
    if parts:
        yield (
            "Standard deviations of the accuracy in points, over seeds on these test images, and over other test sets "
            f"of as many images: {'; '.join(parts)}."
            f"{'' if table.parts else ' What the split of the images adds is not known from these runs.'}"
        )
    for row in table.parts:
        yield (
            f"Parts of the variance of {row.name}, from {row.splits} splits of the images, as standard deviations of "
            f"the accuracy in points with 95 % intervals: the split {_part(row.split)}, the seed on one split "
            f"{_part(row.seed)}, other test sets of as many images {_part(row.images)}."
        )
    images = min((line.images for line in lines if line.images), default=0)
    if images and (remark := few_images(images, "single runs")):
        yield f"The test split has {remark}."
    if table.setting.control is not None:
        yield f"Differences to {table.setting.control}, in percentage points, are of the means over all runs."
    yield from _on_verdicts(table)
    if any(line.verdict == "not compared" for line in lines):
        yield "Not compared: another split, or no run of the row or of its control."
    if any(line.flops for line in lines):
        yield "FLOPs: one image's forward pass, a multiply-add counted as two. Seconds: the training of one run."


def limits(low: float, high: float, between: str = " ") -> str:
    """An interval behind its number, as `` [-5.12, -3.98]``; nothing where it is nan."""
    # "z" writes a limit that rounds to zero as 0.00, never as -0.00.
    return "" if math.isnan(low) else f"{between}[{low:z.2f}, {high:z.2f}]"


def _part(part: Part) -> str:
    return "cannot be told" if math.isnan(part.std) else f"{part.std:.2f}{limits(part.low, part.high)}"


def _on_verdicts(table: Table) -> Iterator[str]:
    lines = table.lines
    if any(line.test == "welch" for line in lines):
        yield (
            "Verdicts: Welch's test with variances moderated by those of other rows, p corrected by Holm over "
            f"{table.compared} row{'s' * (table.compared != 1)}, level {LEVEL:g}; "
            "the intervals are not corrected, so one may exclude 0 where the verdict does not. "
            f"Makes no difference: two one-sided tests with a margin of {points(table.margin)}, corrected likewise. "
            "The paired t-test stands beside it for comparison and decides nothing."
        )
    if table.setting.looks:
        looks, spent = (
            ", ".join(f"{one:g}" for one in some) for some in (table.setting.looks, SPENT[len(table.setting.looks)])
        )
        yield (
            f"A sequential plan: looks at {looks} seeds of a row spend {spent} of the level {LEVEL:g}, and p is "
            f"corrected for them too. {table.looks_done} of {len(table.setting.looks)} looks are done; a row that is "
            "decided gets no more seeds. The intervals are not corrected for the looks."
        )
    if any(line.difference and min(line.difference.n, line.difference.control_n) < FEWEST_RUNS for line in lines):
        yield f"Fewer than {FEWEST_RUNS} runs of a row or of its control give no verdict."
    if any(line.test == "mcnemar" for line in lines):
        yield (
            "† one shared seed: McNemar's p tells whether these two networks differ on these images, "
            "not whether the choices do."
        )
    if any(line.published_difference is not None for line in lines):
        yield _on_claims(table)
        if said := _on_order(table):
            yield said
    if any(line.difference and line.difference.superiority for line in lines):
        yield "Beats control: the probability that a new run of the row is better than a new one of its control."


def _on_claims(table: Table) -> str:
    """How published differences are judged, and by what noise."""
    noise = source_noise(table.setting.repeats)
    known = (
        f"Two single runs of the source differ by up to {noise:.2f} points by chance "
        f"(its {len(table.setting.repeats)} runs of one recipe): smaller differences are within its own noise."
        if noise
        else "The source gives no repeated runs, so the noise of its single ones is unknown."
    )
    budget = "" if table.setting.budget == "full" else ", at this budget"
    return f"Published claims are judged by their direction{budget}. {known}"


def _on_order(table: Table) -> str:
    """Whether the order of the rows is that of the source, and whether it carries over to larger budgets."""
    said = []
    if orders := "; ".join(f"against {one.against} {_tau(one)}" for one in table.rankings):
        said.append(f"Order of the rows, Kendall's tau with its 95 % interval (bootstrap over the seeds): {orders}.")
    if table.setting.budget != "full" and all(one.against == PUBLISHED for one in table.rankings):
        said.append("No run at a larger budget says whether this order carries over.")
    return " ".join(said)


def _tau(one: Ranking) -> str:
    if one.fault:
        return f"cannot be told ({one.fault})"
    return f"{one.tau:z.2f}{limits(one.low, one.high)} over {one.rows} rows"


def _on_rows(table: Table) -> Iterator[str]:
    needed = [
        f"{line.name}: {line.difference.seeds_needed[0]:,} to {line.difference.seeds_needed[1]:,}"
        for line in table.lines
        if line.difference and line.difference.seeds_needed and line.verdict == CANNOT_TELL
    ]
    if needed:
        honest = (
            "Decide on the number of seeds before you look: adding them until a verdict appears makes false claims "
            f"more frequent than {100 * LEVEL:g} %. A plan with looks (--seeds 3,5,10 --until decided) may add them."
        )
        yield (
            f"Seeds of row and control that would resolve {points(table.margin)} "
            f"(power 80 %, at either end of the spread's 80 % interval): {'; '.join(needed)}."
            f"{'' if table.setting.looks else f' {honest}'}"
        )
    other = [f"{line.name} ({line.row.split})" for line in table.lines if line.row.split != "test"]
    if other:
        yield f"Accuracy on another split than test: {', '.join(other)}."
    if table.setting.selection == "test" and any(line.held_out is not None for line in table.lines):
        yield "Held-out: the same runs' test accuracy, had the epoch been chosen on the held-out split."
    ways = sorted({way for line in table.lines for way in line.arithmetic})
    if len(ways) > 1:
        rows = (f"{way} ({', '.join(line.name for line in table.lines if way in line.arithmetic)})" for way in ways)
        yield f"Not all runs were computed alike, and rounding is part of a difference: {'; '.join(rows)}."
    for line in table.lines:
        if line.row.after and line.runs > 1:
            yield (
                f"{line.name}: its preparatory run ({', '.join(line.row.after)}) is one and the same for all seeds; "
                "its chance is not in the interval."
            )


def _on_effects(table: Table) -> Iterator[str]:
    if table.setting.design and not table.effects:
        yield "Main effects and interactions take a run of each row."
    if not table.effects:
        return
    main, both = (sum(one.kind == kind for one in table.effects) for kind in (MAIN, INTERACTION))
    yield (
        "Main effects: how much the accuracy differs between the two values of a factor, over those of the others. "
        "Interactions: half of how much one factor's effect differs between the two values of another. Tested with the "
        f"moderated variances of the rows, level {LEVEL:g}, p corrected by Holm over the {main} main effects and, by "
        f"themselves, over the {both} sets of interactions that these rows tell apart; those of three and more factors "
        "are taken to be 0."
    )


def _on_failures(table: Table) -> Iterator[str]:
    if any(line.survivors for line in table.lines):
        yield (
            "Diverged runs count as guessing, and Fisher's exact test compares their number with the control's. "
            "A mean without them is that of the seeds on which a row happens to learn."
        )
    stuck = [f"{line.name} ({seeds_in_words(line.guessing)})" for line in table.lines if line.guessing]
    if stuck:
        yield f"Learned nothing (no better than one answer for all images): {'; '.join(stuck)}."
    for line in table.lines:
        if line.failures:
            yield f"Failed: {line.name}: {'; '.join(line.failures)}."
