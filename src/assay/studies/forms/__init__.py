"""A study's table in every form: words, columns, Markdown, LaTeX, CSV, the terminal, plots."""
