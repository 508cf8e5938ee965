"""One module per command: ``add_arguments`` describes it, ``execute`` calls the library and prints.

Their first docstring line is the command's help. The library is imported when a command runs, so
that ``assay --help`` answers at once.
"""
