"""The decision record: written line by line, replayed, explained, drawn."""
