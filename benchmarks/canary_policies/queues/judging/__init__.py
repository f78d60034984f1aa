"""What the gates say of the counts, for many runs at once."""
