"""Who rolls a candidate back, and when: Pitwall and other tools, for many runs at once."""
