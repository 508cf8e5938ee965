"""Decode every image of a set and name what is wrong: corrupt, odd, duplicate, in two splits."""

from __future__ import annotations
