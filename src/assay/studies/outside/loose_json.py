"""JSON as Python's own writer leaves it: NaN and Infinity are numbers in it, as the figures of a diverged run are."""

from __future__ import annotations

import json
from typing import Any

from assay.base.text import shorten

_LONGEST_REASON = 200


def parse_loosely(text: str) -> Any:
    """Return the values of a text; raise ``ValueError``, in one short line, where it is not JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("not JSON: too many levels, one in another") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {shorten(str(error), _LONGEST_REASON)}") from None
