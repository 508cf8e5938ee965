"""The images that a recipe names, as they are stored."""

from __future__ import annotations

from assay.data.sources import load_source
from assay.data.split import Source
from assay.recipe.data_section import DataSection


def open_set(section: DataSection, *, grouped: bool = True) -> Source:
    """The splits of a recipe's set; without its groups, which take long to find, where they change nothing."""
    return load_source(
        section.name,
        root=section.root,
        label=section.label,
        groups=section.groups if grouped else None,
        unlabelled=section.unlabelled,
        cache=section.cache,
        memory=section.memory,
    )
