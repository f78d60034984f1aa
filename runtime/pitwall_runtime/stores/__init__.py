"""Frame store: decoded pool frames by handle, shared by every variant's process on a machine."""
