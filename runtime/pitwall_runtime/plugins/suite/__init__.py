"""The parts of the conformance suite: its rules, the situations they are tried in, and what is measured meanwhile."""
