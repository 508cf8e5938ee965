"""Without Optuna the complaint is one line that says what to install."""

from __future__ import annotations

import importlib
import sys

import pytest

import assay.studies.search


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"Optuna is not installed: pip install 'assay\[search\]'"):
        importlib.reload(assay.studies.search)
