"""The gateway's HTTP side, from the request to the response."""
