"""The pipeline: its stages in order, and what one question costs in them."""
