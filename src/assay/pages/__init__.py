"""Pages to open in a browser: a report in one file, and the server that shows them live."""
