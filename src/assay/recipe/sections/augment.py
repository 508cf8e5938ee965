"""Random changes to the images, drawn anew for each image of each batch."""

from __future__ import annotations

from typing import Literal

from assay.base.strict_model import StrictModel
from assay.data.augment.strengths import Strengths


class _Where(StrictModel):
    where: Literal["train", "test", "both"] = "train"
    """the split whose images are changed: train, test or both"""


# The second base's field comes first in a recipe's YAML and in the help, before the strengths.
class AugmentSection(Strengths, _Where):
    """Random changes to the images of the named split, in this order; 0 leaves one out."""
