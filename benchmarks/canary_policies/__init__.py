"""Compares Pitwall's gates with other canary tools on the same traffic: who rolls back what, when, and at what cost."""
