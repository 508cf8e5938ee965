"""Train CNN image classifiers fast, find out honestly which training choices help, and see why."""

__version__ = "0.1.0"
