"""Names what belongs to a variant's pools, for the operator that makes it and the gateway that looks for it."""

from pitwall_crds.names import Pool


def pool_name(variant: str, pool: Pool) -> str:
    """The name of a pool's Deployment, Service and PodDisruptionBudget."""
    return variant if pool is Pool.MAIN else f"{variant}-{pool}"
