"""The verbs, one file for those that belong together."""
