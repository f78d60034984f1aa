"""What the verbs print: tables and trees."""
