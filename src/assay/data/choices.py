"""Choices about images that are made by a word. A recipe has them too, so torch is not imported here."""

from __future__ import annotations

from typing import Literal

OnBadImage = Literal["error", "skip"]
Interpolation = Literal["bilinear", "bicubic"]
