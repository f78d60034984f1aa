"""The nouns that every other room shares: observations, effects, reasons, stages, times. Pure."""
