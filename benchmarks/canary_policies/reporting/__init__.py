"""What came of the simulated runs, as rows, Markdown and plots, and whether the promises are kept."""
