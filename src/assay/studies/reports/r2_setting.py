"""What report R2's tables share: the base of its first part, the protocol of their figures, and the quick proxy."""

from __future__ import annotations

from assay.recipe.named.r2 import DEFAULT
from assay.recipe.recipe import Recipe
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

PROTOCOL = (
    "highest test accuracy over the 50 epochs (no held-out split); one run, no seed; reruns vary by up to 2 points"
)
QUICK = Proxy(epochs=10, images=25_000, width=0.25)


def table(
    name: str,
    purpose: str,
    *rows: Row,
    source: str,
    base: Recipe = DEFAULT,
    control: str | None = None,
    pairs: str = "",
    protocol: str = PROTOCOL,
    quick: Proxy = QUICK,
) -> Study:
    """Return a table of the report; ``source`` is its section there."""
    return Study(name, purpose, base, rows, control, f"report R2, {source}", protocol, quick, pairs)
