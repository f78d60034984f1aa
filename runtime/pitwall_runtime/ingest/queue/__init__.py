"""The ingest queue: videos that shall be prepared before anybody asks, on one machine or in a broker."""
