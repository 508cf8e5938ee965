"""The tables of the five reports with their published figures, a file for each report or part of one."""
