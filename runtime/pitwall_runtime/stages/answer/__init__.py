"""Answer engines: turn the chosen frames into words with times. Three engines share one interface."""
