"""The runtime pods of every variant: where they are, and how they are called."""
