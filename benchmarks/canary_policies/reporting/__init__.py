"""What came of it, as rows, Markdown and plots, and whether the promises are kept."""
