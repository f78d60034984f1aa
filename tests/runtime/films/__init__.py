"""Films for the decoders' tests: pictures that tell their number, written in every way that people's videos are."""
