"""What a candidate may do for stable while that cannot answer."""

from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border


class CandidateFallback(Border):
    """Lets the candidate answer while the stable variant's pods cannot. What it answers then proves nothing."""

    questions_per_pod: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="At most so many of these questions at once for each ready pod of the candidate, from each "
            "gateway; beyond that they fail as they would without it.",
        ),
    ] = 2
