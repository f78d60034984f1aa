"""Builds flagd flag definitions from arms and weights, and reads them back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pitwall_crds.names import FULL_WEIGHT, Arm
from pitwall_flags.flag import bucket

ARM_ORDER: Final = (Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE)
"""The order of the split: the candidate first, so that whoever has crossed over stays while its weight grows."""

SHADOW_OFF: Final = "off"

OWNER: Final = "pitwallRollout"
"""Metadata of a flag: which Rollout moves it, as `namespace/name`. Only the service's own write token may set it."""

KILLED_SALT: Final = "pitwallKilledSalt"
"""Metadata of a flag: the salt of the split that a kill took away."""

CANDIDATE_FALLBACK: Final = "pitwallCandidateFallback"
"""Metadata of a split: how many questions of stable's users, for each of its pods, the candidate may answer at once
while stable cannot. Without it, none."""

_SALT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


@dataclass(frozen=True, slots=True)
class ArmShare:
    """One arm's share of the traffic: which SamplerVariant it gets, and its weight in basis points."""

    arm: str
    variant: str
    weight: int


@dataclass(frozen=True, slots=True)
class Split:
    """What a traffic or shadow flag says: shares in bucketing order, and the salt of the buckets."""

    shares: tuple[ArmShare, ...]
    salt: str

    @property
    def is_traffic(self) -> bool:
        """Whether it shares out the traffic; else it says what is copied."""
        return self.variant_of(Arm.STABLE) is not None

    def variant_of(self, arm: str) -> str | None:
        """The SamplerVariant of an arm, or None when the split does not name the arm."""
        return next((share.variant for share in self.shares if share.arm == arm), None)


def split_name(salt: str, weights: Mapping[str, int]) -> str:
    """What users of one split have in common, for the label of their counter: the salt and every weight above 0."""
    return " ".join((salt, *(f"{arm}={weights[arm]}" for arm in ARM_ORDER if weights.get(arm))))


def split_document(shares: Sequence[ArmShare], *, salt: str) -> dict[str, Any]:
    """The traffic flag: candidate first, total 10 000, default stable. Raises ValueError naming what is wrong."""
    by_arm = {share.arm: share for share in shares}
    if len(by_arm) != len(shares) or not set(by_arm) <= set(ARM_ORDER) or Arm.STABLE not in by_arm:
        raise ValueError(f"a split names stable and at most {[*ARM_ORDER]} once each, not {[s.arm for s in shares]}")
    ordered = tuple(by_arm[arm] for arm in ARM_ORDER if arm in by_arm)
    return _fractional(Split(ordered, salt), default=Arm.STABLE)


def shadow_document(variant: str, percent: int, *, salt: str) -> dict[str, Any]:
    """The shadow flag: this percentage of the questions is copied to the variant; the value of `off` is empty."""
    if not 0 <= percent <= 100:
        raise ValueError(f"a shadow copies 0 to 100 percent, not {percent}")
    weight = percent * FULL_WEIGHT // 100
    shares = (ArmShare(Arm.SHADOW, variant, weight), ArmShare(SHADOW_OFF, "", FULL_WEIGHT - weight))
    return _fractional(Split(shares, salt), default=SHADOW_OFF)


def read_split(document: Mapping[str, Any]) -> Split | None:
    """The split that this module wrote as a document, or None when the document is anything else (killed included, or
    with a salt or arms that it would not write). Never raises."""
    try:
        fractional = document["targeting"]["if"][1]["fractional"]
        salt = bucket.salt_of(fractional[0]["if"][2]["cat"][1]["substr"][0]["cat"][0])
        shares = tuple(ArmShare(arm, document["variants"][arm], weight) for arm, weight in fractional[1:])
        split = Split(shares, salt or "")
        same = document["targeting"] == _targeting(split) and document["state"] == "ENABLED"
        return split if same and _readable(split) else None
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, RecursionError):
        return None


def at_rest(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The document with everybody on stable, or without copies; None if it is so already, or is no split of ours. Its
    other metadata stays."""
    split = read_split(document)
    if split is None or _rests(split, document.get("defaultVariant")):
        return None
    stable = split.variant_of(Arm.STABLE)
    if stable is None:
        return {**document, **shadow_document("", 0, salt=split.salt)}
    return {**document, **split_document([ArmShare(Arm.STABLE, stable, FULL_WEIGHT)], salt=split.salt)}


def killed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as a kill leaves it: a split of ours is at rest for good, so that the release exposes nobody anew,
    and remembers which run was killed; any other flag is as it was."""
    split = read_split(document)
    if split is None:
        return dict(document)
    metadata = {**metadata_of(document), KILLED_SALT: split.salt}
    metadata.pop(CANDIDATE_FALLBACK, None)
    return {**(at_rest(document) or document), "metadata": metadata}


def killed_salt(document: Mapping[str, Any]) -> str:
    """The salt that was in force when the flag was last killed; empty if it never was, or was written since."""
    return str(metadata_of(document).get(KILLED_SALT, ""))


def candidate_fallback(document: Mapping[str, Any]) -> int:
    """How many of stable's questions each pod of the candidate may answer at once while stable cannot; 0: none."""
    said = str(metadata_of(document).get(CANDIDATE_FALLBACK, ""))
    return int(said) if said.isascii() and said.isdigit() and len(said) < 4 else 0


def owner_of(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Namespace and name of the Rollout that a flag belongs to."""
    namespace, slash, name = str(metadata_of(document).get(OWNER, "")).partition("/")
    return (namespace, name) if slash else None


def served_by(document: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Namespace and name of the variants to which a flag sends anybody, users or copies: they are of the namespace of
    the Rollout that it belongs to. None where it is nobody's, or no split of ours."""
    owner, split = owner_of(document), read_split(document)
    if owner is None or split is None:
        return frozenset()
    return frozenset((owner[0], share.variant) for share in split.shares if share.weight and share.variant)


def metadata_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document's metadata; none where it is of another shape."""
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _rests(split: Split, default: Any) -> bool:
    """Whether everybody is on stable, or nobody gets copies, by whatever way: by the shares, and by the default variant
    that a kill leaves."""
    home, variant = (Arm.STABLE, split.variant_of(Arm.STABLE)) if split.is_traffic else (SHADOW_OFF, "")
    served = [share for share in split.shares if share.weight]
    away = any(share.arm in (Arm.CANDIDATE, Arm.SHADOW) or share.variant != variant for share in served)
    return default == home and not away


def _readable(split: Split) -> bool:
    """Whether a builder of this module takes what was read: whoever works with a split builds others of it."""
    arms = [share.arm for share in split.shares]
    is_traffic = arms == [arm for arm in ARM_ORDER if arm in arms] and Arm.STABLE in arms
    if not (is_traffic or arms == [Arm.SHADOW, SHADOW_OFF]) or not _SALT.fullmatch(split.salt):
        return False
    weights = [share.weight for share in split.shares]
    whole = all(type(weight) is int and weight >= 0 for weight in weights) and sum(weights) == FULL_WEIGHT
    return whole and all(isinstance(share.variant, str) for share in split.shares)


def _fractional(split: Split, *, default: str) -> dict[str, Any]:
    if not _SALT.fullmatch(split.salt):
        raise ValueError(f"salt {split.salt!r} must match {_SALT.pattern}")
    weights = [share.weight for share in split.shares]
    if min(weights) < 0 or sum(weights) != FULL_WEIGHT:
        raise ValueError(f"weights {weights} must be 0 or more and sum to {FULL_WEIGHT}, not {sum(weights)}")
    return {
        "state": "ENABLED",
        "variants": {share.arm: share.variant for share in split.shares},
        "defaultVariant": default,
        "targeting": _targeting(split),
    }


def _targeting(split: Split) -> dict[str, Any]:
    """JSONLogic: without a targeting key the default; else flagd's `fractional` over the same bytes everywhere."""
    key, before = {"var": "targetingKey"}, bucket.prefix(split.salt)
    short = {"substr": [{"cat": [before, key]}, -bucket.TEXT_LENGTH]}
    long = {"substr": [{"cat": [before, key, bucket.LONG_END]}, 0, bucket.LONG_TEXT_LENGTH]}
    filled = {"cat": [key, bucket.NO_CHARACTER * (bucket.SHORT_KEY + 1)]}
    is_long = {"!==": [{"substr": [filled, bucket.SHORT_KEY, 1]}, bucket.NO_CHARACTER]}
    text = {"if": [is_long, _with_header(bucket.LONG_CBOR_HEADER, long), _with_header(bucket.CBOR_HEADER, short)]}
    weights = [[str(share.arm), share.weight] for share in split.shares]
    return {"if": [key, {"fractional": [text, *weights]}]}


def _with_header(header: str, text: Mapping[str, Any]) -> dict[str, Any]:
    """The text, behind its CBOR header where the evaluator hashes texts as they are."""
    return {"cat": [{"fractional": [{"cat": [bucket.PROBE]}, [header, 1], ["", 1]]}, text]}
