"""A flag: its document, how it is checked and how it is evaluated. Pure."""
