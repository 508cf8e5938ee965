"""Text and tables in Markdown, whatever the text holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from assay.studies.forms.columns import Listing
from assay.studies.forms.words import header
from assay.studies.results import Setting

# Only what begins markup: "_" within a word, "]" without a target and "&" without a name are text everywhere.
_MARKUP = re.compile(r"[\\|*`<~$]|(?<!\w)_|_(?!\w)|\](?=[(\[:])|&(?=#?\w+;)")


def markdown_document(setting: Setting, listing: Listing[Any], notes: Sequence[str], said: str = "") -> str:
    """What is said in words, a list of the setting, the listing as a table, and a list of notes."""
    above = "\n".join(f"- {label}: {escaped(words)}" for label, words in header(setting).items())
    below = "\n".join(f"- {escaped(note)}" for note in notes)
    # Without words or notes the text begins with the setting, or ends with the table.
    return "\n\n".join([escaped(said), above, markdown_table(listing), below]).strip() + "\n"


def escaped(text: str) -> str:
    """Text in one line in which no renderer sees markup, a link, a character's code or the end of a cell."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def markdown_table(listing: Listing[Any]) -> str:
    """The listing as a table, its numbers to the right."""
    return tabulate(
        [[escaped(column.text(item)) for column in listing.columns] for item in listing.items],
        headers=[column.title for column in listing.columns],
        tablefmt="pipe",
        colalign=["right" if column.value else "left" for column in listing.columns],
        disable_numparse=True,
    )
