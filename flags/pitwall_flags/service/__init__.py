"""The flag service: admin API, OFREP and flagd sync over one store."""
