"""Decodes with FFmpeg's own libraries, through PyAV: the default, and the measure of the other decoders."""
