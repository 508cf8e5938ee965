"""What to try after a study: the effect of each setting, and untested recipes that may do better."""
