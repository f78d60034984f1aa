"""The sampler peaks-apart."""
