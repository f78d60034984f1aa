"""`pitwall check-rights`: says which rights an installation in a namespace lacks, before or after it is made."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pitwall_operator.cli.context import Output, OutputOption, console, fail, print_json, print_lines
from pitwall_operator.cli.sources.choose import ContextOption, KubeconfigOption, NamespaceOption
from pitwall_operator.values.errors import Exit

if TYPE_CHECKING:
    from pitwall_operator.kube.rights import Right


class RightsOf(StrEnum):
    """Whose rights are looked at."""

    INSTALLER = "installer"
    OPERATOR = "operator"
    GATEWAY = "gateway"


ADMINISTRATOR = "ask a cluster administrator to apply examples/install/administrator.yaml"
REMEDIES = {
    RightsOf.INSTALLER: ADMINISTRATOR,
    RightsOf.OPERATOR: "install the chart with rbac.create=true, or bind a Role that has them",
    RightsOf.GATEWAY: "install the chart with rbac.create=true, or bind a Role that has them",
}


def check_rights(
    of: Annotated[
        RightsOf, typer.Option("--of", help="installer: you, before `helm install`; operator, gateway: once installed.")
    ] = RightsOf.INSTALLER,
    account: Annotated[
        str | None,
        typer.Option(
            "--service-account", metavar="[NAMESPACE:]NAME", help="Whose; default: pitwall-operator or pitwall-gateway."
        ),
    ] = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask the cluster whether you may install Pitwall in a namespace, or whether its parts may do their work there."""
    from pitwall_operator.cli.sources.cluster import Cluster
    from pitwall_operator.cli.sources.kubeconfig import ClusterTarget
    from pitwall_operator.cli.sources.reviews import denied

    _check(of, account)
    cluster = Cluster.open(ClusterTarget(kubeconfig, context, namespace))
    whose, needed = _account(of, account, cluster.namespace), _needed(of)
    missing = denied(cluster.api, needed, cluster.namespace, whose)
    if output is Output.JSON:
        told = {"namespace": cluster.namespace, "of": of.value, "checked": len(needed)}
        print_json({**told, "missing": [str(right) for right in missing]})
    else:
        print_lines(f"missing: {right}" for right in missing)
    who = f"service account {whose}" if whose else "you"
    if missing:
        fail(
            f"{who}: {len(missing)} of {len(needed)} rights missing in {cluster.place}; {REMEDIES[of]}", Exit.FORBIDDEN
        )
    if output is Output.TEXT:
        console.print(f"{who}: all {len(needed)} rights of the {of} are there in {cluster.place}", markup=False)


def _check(of: RightsOf, account: str | None) -> None:
    if of is RightsOf.INSTALLER and account:
        fail("--service-account goes with --of operator or --of gateway; the installer is you", Exit.BAD_INPUT)


def _account(of: RightsOf, account: str | None, namespace: str) -> str:
    """`namespace:name`; empty for ourselves."""
    if of is RightsOf.INSTALLER:
        return ""
    name = account or f"pitwall-{of}"
    return name if ":" in name else f"{namespace}:{name}"


def _needed(of: RightsOf) -> frozenset["Right"]:
    from pitwall_operator.kube import rights

    return {
        RightsOf.INSTALLER: rights.INSTALLER, RightsOf.OPERATOR: rights.OPERATOR, RightsOf.GATEWAY: rights.GATEWAY,
    }[of]  # fmt: skip
