"""Where pods run: affinity, tolerations, spread over places (core/v1, in Kubernetes' words)."""

from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_crds.variant.pod.amounts import Count, Labels, Weight, Word, Words


class Requirement(Border):
    """One condition on labels."""

    key: Annotated[Word, Field(description="The label's key.")]
    operator: Annotated[
        Annotated[str, Field(max_length=16, pattern="^(In|NotIn|Exists|DoesNotExist|Gt|Lt)$")],
        Field(description="In, NotIn, Exists, DoesNotExist, Gt or Lt."),
    ]
    values: Annotated[Words, Field(description="What the label is compared with.")] = ()


Requirements = Annotated[tuple[Requirement, ...], Field(max_length=32)]


class NodeTerm(Border):
    """Nodes that meet all of these."""

    match_expressions: Annotated[Requirements, Field(description="By labels.")] = ()


class NodeChoice(Border):
    """Nodes that any of the terms finds."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(max_length=16, description="Any of these.")]


class PreferredNodes(Border):
    """Nodes that are better than others."""

    weight: Weight
    preference: Annotated[NodeTerm, Field(description="These nodes.")]


class NodeAffinity(Border):
    """On which nodes pods run."""

    required_during_scheduling_ignored_during_execution: Annotated[
        NodeChoice | None, Field(description="On no other nodes.")
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNodes, ...], Field(max_length=16, description="Rather on these nodes.")
    ] = ()


class LabelSelector(Border):
    """Objects that have all of these labels."""

    match_labels: Annotated[Labels, Field(description="Labels and their values.")] = {}
    match_expressions: Annotated[Requirements, Field(description="Conditions on labels.")] = ()


class PodTerm(Border):
    """Where pods of these labels run."""

    topology_key: Annotated[Word, Field(description="The node label that says what a place is.")]
    label_selector: Annotated[LabelSelector | None, Field(description="Which pods.")] = None
    namespaces: Annotated[
        Words, Field(description="Their namespaces, such as the administrator allows; none is the variant's own.")
    ] = ()


class PreferredPods(Border):
    """Places that are better than others."""

    weight: Weight
    pod_affinity_term: Annotated[PodTerm, Field(description="These places.")]


class PodAffinity(Border):
    """Beside which pods, or away from which, pods run."""

    required_during_scheduling_ignored_during_execution: Annotated[
        tuple[PodTerm, ...], Field(max_length=16, description="Always.")
    ] = ()
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredPods, ...], Field(max_length=16, description="Where it can be.")
    ] = ()


class Affinity(Border):
    """Where pods run, by nodes and by other pods."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: Annotated[PodAffinity | None, Field(description="Beside these pods.")] = None
    pod_anti_affinity: Annotated[PodAffinity | None, Field(description="Away from these pods.")] = None


class Toleration(Border):
    """A taint that does not keep the pods away."""

    key: Annotated[Word, Field(description="The taint's key; empty is any, if the administrator allows it.")] = ""
    operator: Annotated[str, Field(max_length=8, pattern="^(Exists|Equal)?$", description="Exists or Equal.")] = ""
    value: Annotated[Word, Field(description="The taint's value, with Equal.")] = ""
    effect: Annotated[
        str,
        Field(
            max_length=32, pattern="^(NoSchedule|PreferNoSchedule|NoExecute)?$", description="Its effect; empty is any."
        ),
    ] = ""
    toleration_seconds: Annotated[Count | None, Field(description="How long NoExecute is tolerated.")] = None


class TopologySpread(Border):
    """How evenly pods are spread over places."""

    max_skew: Annotated[int, Field(ge=1, le=1000, description="By how many pods places may differ.")]
    topology_key: Annotated[Word, Field(description="The node label that says what a place is.")]
    when_unsatisfiable: Annotated[
        str, Field(max_length=32, pattern="^(DoNotSchedule|ScheduleAnyway)$", description="What if it cannot be.")
    ]
    label_selector: Annotated[LabelSelector | None, Field(description="Which pods are counted.")] = None
