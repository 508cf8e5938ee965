"""Search for a better recipe: Optuna proposes values, runs answer, and fresh seeds say what the best is worth."""

try:
    import optuna as _optuna  # noqa: F401
except ModuleNotFoundError:
    raise ValueError("Optuna is not installed: pip install 'assay[search]'") from None
