"""Errors in one line, whatever a damaged file holds."""

from __future__ import annotations

import pytest

from assay.base.user_errors import explain


@pytest.mark.parametrize("error", [ValueError("x" * 5000), OSError(36, "File name too long", "x" * 5000)])
def test_a_line_is_never_longer_than_a_screen(error: Exception) -> None:
    text = explain(error)
    assert text is not None
    assert len(text) <= 1500
    assert "xxx" in text


def test_what_is_no_mistake_of_the_users_has_no_line() -> None:
    assert explain(RuntimeError("boom")) is None
    assert explain(RuntimeError("unable to allocate memory")) is not None
