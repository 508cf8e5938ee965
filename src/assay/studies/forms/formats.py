"""A study's table as Markdown, LaTeX and CSV."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from tabulate import LATEX_ESCAPE_RULES, tabulate

from assay.base.row_files import to_csv
from assay.studies.factorial.words import COLUMNS, TITLE
from assay.studies.forms.columns import Listing, all_columns, without_nan
from assay.studies.forms.markdown import markdown_document, markdown_table
from assay.studies.forms.sentence import summary
from assay.studies.forms.words import footnotes, header
from assay.studies.table import Line, Table


def as_markdown(table: Table) -> str:
    """What the verdicts say, a list of the setting, the table, its footnotes, and the effects of a design."""
    listing = Listing(all_columns(table), table.lines)
    text = markdown_document(table.setting, listing, footnotes(table), summary(table))
    return f"{text}\n## {TITLE}\n\n{markdown_table(Listing(COLUMNS, table.effects))}\n" if table.effects else text


def as_latex(table: Table) -> str:
    """A floating table with the setting in its caption; it needs the packages booktabs and graphicx."""
    body = _tabular(Listing(all_columns(table), table.lines))
    effects = [_resized(_tabular(Listing(COLUMNS, table.effects)))] if table.effects else []
    about = (_sentence(label, words) for label, words in header(table.setting).items())
    caption = " ".join([summary(table), *about]).strip()
    notes = [rf"\par\footnotesize {_latex(note)}" for note in footnotes(table)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(caption)}}}",
            _resized(body),
            *effects,
            *notes,
            r"\end{table}",
            "",
        ]
    )


def as_csv(table: Table) -> str:
    """A line for each row, with its numbers in full precision and the setting, so that a line can stand alone."""
    return to_csv([_record(table, line) for line in table.lines], digits=None).decode()


def _tabular(listing: Listing[Any]) -> str:
    body = tabulate(
        [[" ".join(column.text(item).split()) for column in listing.columns] for item in listing.items],
        headers=[column.title for column in listing.columns],
        tablefmt="latex_booktabs",
        colalign=["right" if column.value else "left" for column in listing.columns],
        disable_numparse=True,
    )
    # After \\\\ LaTeX takes [ and * for options of the line break, so names that begin with them need an empty group.
    return re.sub(r"\n (?=[\[*])", r"\n {}", body)


def _resized(tabular: str) -> str:
    return f"\\resizebox{{\\textwidth}}{{!}}{{%\n{tabular}}}"


def _latex(text: str) -> str:
    """Text in one paragraph, which is all that a caption may hold."""
    return "".join(LATEX_ESCAPE_RULES.get(character, character) for character in " ".join(text.split()))


def _sentence(label: str, words: str) -> str:
    return f"{label[0].upper()}{label[1:]}: {words}{'' if words[-1] in '.?!' else '.'}"


def _record(table: Table, line: Line) -> dict[str, Any]:
    """A row's fields by name; a number that is missing is None."""
    survivors = line.survivors
    record = {
        **_of_table(table),
        "row": line.name,
        "split": line.row.split,
        "published_percent": line.row.published,
        "published_difference_points": line.published_difference,
        "accuracy_percent": line.estimate.mean,
        "accuracy_std_points": line.estimate.std,
        "images_std_points": line.images_deviation,
        "interval_low_percent": line.estimate.low,
        "interval_high_percent": line.estimate.high,
        "accuracy_without_diverged_percent": survivors and survivors.mean,
        "held_out_selection_accuracy_percent": line.held_out,
        "runs": line.runs,
        "planned_runs": line.planned,
        "accuracies_percent": " ".join(f"{seed}:{value}" for seed, value in line.accuracies.items()),
        "diverged_seeds": " ".join(map(str, line.diverged)),
        **_of_comparison(table, line),
        "parameters": line.parameters,
        "flops_per_image": line.flops,
        "seconds_per_run": line.seconds,
        "published_seconds_per_run": line.row.seconds,
        "images_per_second": line.images_per_second,
        "failures": "; ".join(line.failures),
        "note": line.row.note,
    }
    return without_nan(record)


def _of_comparison(table: Table, line: Line) -> dict[str, Any]:
    """The fields on a row's difference from its control."""
    about = line.difference
    paired, superior = (about.paired, about.superiority) if about else (None, None)
    low, high = (about and about.seeds_needed) or (None, None)
    return {
        "diverged_p": about and about.p_diverged,
        "difference_points": about and about.mean,
        "difference_error_points": about and about.error,
        "difference_freedom": about and about.freedom,
        "difference_low_points": about and about.low,
        "difference_high_points": about and about.high,
        "test": line.test,
        "p_uncorrected": line.p_uncorrected,
        "p_corrected": line.p,
        "p_equivalent_uncorrected": about and about.p_equivalent,
        "p_equivalent_corrected": line.p_equivalent,
        "rows_compared": table.compared,
        "verdict": line.verdict,
        "published_claim": line.claim,
        "beats_control": superior and superior.share,
        "beats_control_low": superior and superior.low,
        "beats_control_high": superior and superior.high,
        "paired_difference_points": paired and paired.mean,
        "paired_difference_std_points": paired and paired.std,
        "pairs": paired and paired.n,
        "paired_p_uncorrected": paired and paired.p,
        "paired_p_corrected": line.p_paired,
        "seeds_needed_low": low,
        "seeds_needed_high": high,
    }


def _of_table(table: Table) -> dict[str, Any]:
    """The fields that all rows of a table share."""
    setting, about = table.setting, asdict(table.setting)
    return {
        **{name: about[name] for name in ("study", "purpose", "budget", "budget_in_words", "selection", "changes")},
        "control": setting.control,
        "seeds": " ".join(map(str, setting.seeds)),
        "control_seeds": " ".join(map(str, setting.seeds_of(is_control=True))),
        "margin_points": table.margin,
        **{name: about[name] for name in ("source", "protocol", "hardware", "code", "command")},
        "commits": " ".join(setting.commits),
    }
