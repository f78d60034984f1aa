"""The OpenFeature provider that every gateway carries, and how it keeps up with the service."""
