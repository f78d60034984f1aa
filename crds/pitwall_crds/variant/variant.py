"""SamplerVariant: one frame sampler with its parameters, and the runtime that answers with it."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pitwall_crds import names
from pitwall_crds.resource import Border, Condition, Metadata, Name, Reference, Resource, cel_rules, keyed_by
from pitwall_crds.variant.addresses import SERVER_RULE, WEIGHTS_RULE, checked_server, checked_weights
from pitwall_crds.variant.pod.amounts import ResourceRequirements
from pitwall_crds.variant.pod.template import PodTemplate

ParameterValue = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[str, Field(max_length=256)]


class AllowanceSpec(Border):
    """What choosing the frames of one question may cost, beside the encoder's work."""

    milliseconds: Annotated[
        int,
        Field(ge=1, le=600_000, description="Of the sampler's own, a model's answers included; then it is cut off."),
    ] = 30_000
    model_calls: Annotated[
        int, Field(ge=0, le=1000, description="How often it may ask the answer engine about frames.")
    ] = 8
    scored_frames: Annotated[
        int, Field(ge=0, le=2**31, description="How many frames it may compare with a text; 0 is as many as there are.")
    ] = 0


class SamplerSpec(Border):
    """Which sampler, and its parameters; the sampler's own schema parses and bounds them."""

    name: Annotated[Name, Field(description="The sampler's name in pitwall.samplers, such as uniform or aks.")]
    parameters: Annotated[
        dict[Annotated[str, Field(max_length=64)], ParameterValue],
        Field(max_length=32, description="Integers, booleans or decimal strings; never floats."),
    ] = {}
    allowance: AllowanceSpec = AllowanceSpec()


class DecodeBackend(StrEnum):
    """pyav reads everything. torchcodec, decord and nvdec read plain videos and leave all others to pyav."""

    PYAV = "pyav"
    TORCHCODEC = "torchcodec"
    DECORD = "decord"
    NVDEC = "nvdec"


class DecodeSpec(Border):
    """How densely and how large a video is decoded into the frame pool, once."""

    backend: DecodeBackend = DecodeBackend.PYAV

    frames_per_minute: Annotated[int, Field(ge=1, le=1800, description="Pool rate; 60 is one frame a second.")] = 60
    height_pixels: Annotated[int, Field(ge=64, le=1080, description="Pool frames are scaled to this height.")] = 240


class ReducerSpec(Border):
    """How the chosen frames' tokens are reduced to the budget."""

    name: Annotated[Name, Field(description="The reducer's name, such as pool.")] = "pool"
    token_budget: Annotated[int, Field(ge=1, le=1_000_000, description="Visual tokens a query may spend.")] = 2048


class EncoderSpec(Border):
    """The joint image–text encoder; name, revision and weights are part of the embed cache's key."""

    model_config = cel_rules(WEIGHTS_RULE)

    name: Annotated[Name, Field(description="The encoder's name, such as conse or siglip-so400m-384.")] = "conse"
    revision: Annotated[
        str,
        Field(max_length=128, description="Version of the encoder's weights; a new one starts an empty embed cache."),
    ] = "1"
    weights: Annotated[
        str,
        AfterValidator(checked_weights),
        Field(
            max_length=512,
            description="For open_clip: a checkpoint's path without .. in it, a tag such as webli, or hf-hub:NAME; "
            "empty for an encoder whose weights are packaged.",
        ),
    ] = ""
    batch_size: Annotated[int, Field(ge=1, le=1024, description="Frames encoded in one forward pass.")] = 32


class AnswerEngine(StrEnum):
    """moments needs no language model; local runs a small packaged one; openai calls any compatible server."""

    MOMENTS = "moments"
    LOCAL = "local"
    OPENAI = "openai"


class AnswerSpec(Border):
    """Who turns the chosen frames into an answer."""

    model_config = cel_rules(
        (
            "!has(self.engine) || self.engine != 'openai' || has(self.endpointRef)"
            " || (has(self.endpointUrl) && self.endpointUrl != '')",
            "answer.engine openai must name a server: set endpointUrl or endpointRef",
        ),
        SERVER_RULE,
    )

    engine: AnswerEngine = AnswerEngine.MOMENTS
    endpoint_url: Annotated[
        str,
        AfterValidator(checked_server),
        Field(
            max_length=512,
            description="Base URL of an OpenAI-compatible server, http or https, up to and including /v1.",
        ),
    ] = ""
    endpoint_ref: Annotated[
        Reference | None,
        Field(description="A Service of the same namespace that speaks OpenAI's protocol, in place of endpointUrl."),
    ] = None
    model: Annotated[
        str,
        Field(
            max_length=256, description="The model's name as the server knows it; empty takes the first that it lists."
        ),
    ] = ""
    max_tokens: Annotated[int, Field(ge=1, le=32_768, description="Tokens that an answer may have.")] = 128

    @property
    def sees_frames(self) -> bool:
        """Whether a model looks at pictures, and so can be asked about them."""
        return self.engine is AnswerEngine.OPENAI

    @model_validator(mode="after")
    def _openai_needs_an_endpoint(self) -> "AnswerSpec":
        if self.engine is AnswerEngine.OPENAI and not (self.endpoint_url or self.endpoint_ref):
            raise ValueError("answer.engine openai must name a server: set endpointUrl or endpointRef")
        return self


class Scaling(Border):
    """Says that something else drives `replicas` by the /scale subresource: an HPA, KEDA."""

    model_config = cel_rules(
        (
            "self.maxReplicas >= (has(self.minReplicas) ? self.minReplicas : 1)",
            "scaling.maxReplicas must be at least scaling.minReplicas",
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000, description="No fewer, whatever replicas says.")] = 1
    max_replicas: Annotated[int, Field(ge=1, le=1000, description="No more, whatever replicas says.")]

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "Scaling":
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"scaling.maxReplicas must be at least scaling.minReplicas {self.min_replicas}, not {self.max_replicas}"
            )
        return self


class RuntimeSpec(Border):
    """The pods (embedded: processes) that run the pipeline with this sampler."""

    image: Annotated[
        str, Field(max_length=512, description="Container image; empty takes the operator's own runtime image.")
    ] = ""
    replicas: Annotated[int, Field(ge=1, le=1000, description="At full weight; fewer while the weight is small.")] = 1
    scaling: Annotated[
        Scaling | None,
        Field(
            description="With it, an autoscaler sets replicas, as pods for the present traffic; the operator keeps "
            "at least as many as the weight needs."
        ),
    ] = None
    resources: ResourceRequirements = ResourceRequirements()
    template: PodTemplate = PodTemplate()


class SamplerVariantSpec(Border):
    """The desired variant."""

    sampler: SamplerSpec
    max_frames: Annotated[int, Field(ge=1, le=1024, description="Frames the sampler must choose.")] = 32
    decode: DecodeSpec = DecodeSpec()
    reducer: ReducerSpec = ReducerSpec()
    encoder: EncoderSpec = EncoderSpec()
    answer: AnswerSpec = AnswerSpec()
    runtime: RuntimeSpec = RuntimeSpec()


class FiveMetrics(Border):
    """Last observed metrics of a variant, as text with units; absent ones were not measured."""

    latency_p50: Annotated[str, Field(max_length=16, description="Median of query latency, such as 0.52s.")] = ""
    latency_p99: Annotated[
        str, Field(max_length=16, description="99th percentile of query latency, such as 1.31s.")
    ] = ""
    frame_selection: Annotated[
        str, Field(max_length=16, description="Median time to choose the frames, such as 0.6ms.")
    ] = ""
    tokens_per_query: Annotated[
        str, Field(max_length=16, description="Mean visual tokens per query, such as 2041.")
    ] = ""
    cache_hit_rate: Annotated[
        str, Field(max_length=16, description="Share of frames found in the embed cache, such as 75%.")
    ] = ""
    encoder_utilization: Annotated[str, Field(max_length=16, description="Busy share of the encoder, such as 64%.")] = (
        ""
    )


class Stability(StrEnum):
    """How far a sampler may be trusted: alpha may change or go, beta keeps its parameters, stable its choices too."""

    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


class SamplerEntry(Border):
    """A sampler as a runtime image describes it, for those who cannot import it."""

    name: Annotated[Name, Field(description="As a SamplerVariant names it.")]
    contract: Annotated[int, Field(ge=1, le=1000, description="The version of the contract that it was written for.")]
    stability: Annotated[Stability, Field(description="How far it may be trusted.")]
    summary: Annotated[str, Field(max_length=300, description="Its idea in a sentence.")] = ""
    source: Annotated[str, Field(max_length=300, description="Where it comes from.")] = ""
    uses: Annotated[
        tuple[Annotated[str, Field(max_length=32)], ...],
        Field(max_length=16, description="What it looks at, such as scores, embeddings or model."),
    ] = ()
    needs: Annotated[
        tuple[Annotated[str, Field(max_length=32)], ...],
        Field(max_length=16, description="What of this it cannot do without: such a variant is refused."),
    ] = ()
    parameters: Annotated[dict[str, Any], Field(description="Its parameters as a JSON schema.")] = {}


class SamplerVariantStatus(Border):
    """The observed variant."""

    observed_generation: Annotated[
        int, Field(ge=0, le=2**53, description="The metadata.generation that this status is about.")
    ] = 0
    ready_replicas: Annotated[int, Field(ge=0, le=1_000_000, description="Pods that can answer.")] = 0
    replicas: Annotated[
        int,
        Field(ge=0, le=1_000_000, description="Pods of the main pool, for /scale; no control pods."),
    ] = 0
    selector: Annotated[str, Field(max_length=512, description="Selects these pods, for /scale.")] = ""
    desired_replicas: Annotated[
        int, Field(ge=0, le=1_000_000, description="Pods that should run at the present weight.")
    ] = 0
    ready: Annotated[str, Field(max_length=16, description="Ready pods of desired ones, such as 1/2.")] = ""
    endpoint: Annotated[str, Field(max_length=512, description="Base URL of the pods' Service.")] = ""
    arm: Annotated[
        str,
        Field(
            max_length=32,
            description="Which share of the traffic it gets: stable, control, candidate or shadow; empty is none.",
        ),
    ] = ""
    stability: Annotated[str, Field(max_length=16, description="Its sampler's: alpha, beta or stable.")] = ""
    image_samplers: Annotated[
        tuple[SamplerEntry, ...],
        Field(
            max_length=64,
            description="Samplers of its image that the operator's version does not have, as its pods describe them.",
            json_schema_extra=keyed_by("name"),
        ),
    ] = ()
    broken_samplers: Annotated[
        tuple[Annotated[str, Field(max_length=512)], ...],
        Field(max_length=16, description="Why others that are installed in its image cannot serve."),
    ] = ()
    flagged_off: Annotated[str, Field(max_length=1024, description="Why, if this variant was flagged off.")] = ""
    metrics: FiveMetrics = FiveMetrics()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=8, description="Ready and what stands in its way.", json_schema_extra=keyed_by("type")),
    ] = ()


class SamplerVariant(Resource):
    """One frame sampler, runnable."""

    api_version: Literal["pitwall.dev/v1alpha1"] = names.API_VERSION
    kind: Literal["SamplerVariant"] = "SamplerVariant"
    metadata: Metadata
    spec: SamplerVariantSpec
    status: SamplerVariantStatus = SamplerVariantStatus()
