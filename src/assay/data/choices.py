"""Choices about images that are made by a word. A recipe has them too, so torch is not imported here."""

from __future__ import annotations

from typing import Literal

OnBadImage = Literal["error", "skip"]
OnUnlabelled = Literal["error", "skip"]
CacheUse = Literal["off", "verify", "on"]
Interpolation = Literal["bilinear", "bicubic"]

SMALLEST_STD = 1e-6
"""of a channel, pixels in [0, 1]; division by less would leave no finite scores"""

OUT_OF_FOLD = "out-of-fold"
"""the split of all images that are cut into folds, each answered for by the model that did not learn from its fold"""

NEAR_DUPLICATES = "near-duplicates"
"""the groups of images that look nearly alike"""
