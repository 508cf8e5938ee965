"""The recipe: everything that decides how a model is trained, and the recipes that have names."""
