"""What the commands print: tables and trees."""
