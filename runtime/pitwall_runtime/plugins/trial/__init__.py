"""The process in which a sampler is tried, and who watches it from outside."""
