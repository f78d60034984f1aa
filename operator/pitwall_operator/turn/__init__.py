"""One reconciliation of one rollout: observe, decide, record, write the status, perform the effects."""
