"""Runs and studies as one page that needs nothing else."""
