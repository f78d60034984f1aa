"""The decision record, an append-only file: written, replayed, explained and plotted."""
