"""Answers one question: which variant is asked, who answers in its place, and what counts."""
