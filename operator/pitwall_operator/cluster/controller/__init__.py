"""The controller: the cache and what changes it, the work queue, the reconciliation of each Rollout, the sweep."""
