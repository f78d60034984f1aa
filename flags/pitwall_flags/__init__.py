"""Who gets which sampler: flag documents, the service that keeps them, and the provider that evaluates them."""
