"""What the flag service answers over HTTP: the admin API, the decision records and OFREP."""
