"""The variants' pools in the API server: Deployments with their Services, budgets and revisions."""
