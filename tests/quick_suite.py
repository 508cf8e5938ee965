"""Which cases of a test the quick suite leaves to the whole one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def rest_slow(cases: Iterable[Any], quick: int = 1) -> list[Any]:
    """The cases of a dear test's parameters; those after the first ``quick`` are marked as slow.

    Args:
        cases: each a tuple where there are several parameters.
        quick: how many are in the quick suite.
    """
    given = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*case, marks=pytest.mark.slow if place >= quick else ()) for place, case in enumerate(given)]
