"""The pages, live, over a folder of runs."""
