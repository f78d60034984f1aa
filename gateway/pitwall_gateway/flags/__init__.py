"""Which arm and variant a user is assigned to."""
