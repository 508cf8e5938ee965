"""All studies by name, a table of a report each, and a user's own from YAML."""

from __future__ import annotations

from pathlib import Path

from assay.base.registry import choose
from assay.studies.from_yaml import read_study
from assay.studies.reports import r1, r2, r2_norm, r3, r4, r5
from assay.studies.study import Study

_REPORTS = (r1, r2, r2_norm, r3, r4, r5)  # in the order of `assay study list`
STUDIES: dict[str, Study] = {study.name: study for report in _REPORTS for study in report.STUDIES}


def find_study(name: str | Path) -> Study:
    """Return a named study, or that of a YAML file.

    Raises:
        ValueError: an unknown name, with the nearest one; or an error in the file.
    """
    if str(name) not in STUDIES and Path(name).suffix in (".yaml", ".yml"):
        return read_study(Path(name).expanduser())
    return choose("study", str(name), STUDIES)
