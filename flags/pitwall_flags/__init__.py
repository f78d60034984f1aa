"""Feature flags that say who gets which sampler: documents, the service that keeps them, and the clients' provider."""
