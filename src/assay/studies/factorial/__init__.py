"""Factors of two values: designs with a part of all combinations, and the effects that they tell apart."""
