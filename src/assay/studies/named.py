"""All studies by name, a table of a report each, and a user's own from YAML."""

from __future__ import annotations

from pathlib import Path

from assay.base.registry import choose
from assay.studies.from_yaml import read_study
from assay.studies.reports import r1, r2_network, r2_norm, r2_together, r2_training, r3, r4, r5
from assay.studies.study import Study

STUDIES: dict[str, Study] = {
    **r1.STUDIES,
    **r2_network.STUDIES,
    **r2_training.STUDIES,
    **r2_together.STUDIES,
    **r2_norm.STUDIES,
    **r3.STUDIES,
    **r4.STUDIES,
    **r5.STUDIES,
}


def find_study(name: str | Path) -> Study:
    """Return a named study, or that of a YAML file.

    Raises:
        ValueError: an unknown name, with the nearest one; or an error in the file.
    """
    if str(name) not in STUDIES and Path(name).suffix in (".yaml", ".yml"):
        return read_study(Path(name).expanduser())
    return choose("study", str(name), STUDIES)
