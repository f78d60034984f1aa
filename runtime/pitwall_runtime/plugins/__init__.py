"""What authors of samplers need: descriptions, the conformance suite, a package to begin with, a trial on arrays."""
