"""The API server and what Pitwall keeps there: objects, pods, Events, the Lease."""
