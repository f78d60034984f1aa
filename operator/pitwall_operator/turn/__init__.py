"""One turn of one rollout: observe, decide, record, remember, perform."""
