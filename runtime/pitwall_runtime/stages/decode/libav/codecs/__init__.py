"""Decoders of single codecs: which one to take, and what they tell beside their pictures."""
