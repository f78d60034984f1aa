"""What stores keep on the local disk: whole or not at all, locked, within its quota."""
