"""The report as page, Markdown, LaTeX and terminal output."""
