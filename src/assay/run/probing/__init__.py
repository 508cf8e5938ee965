"""Measuring while a network trains, without changing how it trains."""
