"""Stand-ins for parts of a gateway that several folders' tests put in the place of the real ones."""

from pitwall_gateway.pools.upstream import Call


class NoSubstitutes:
    """Stable answers for nobody else, and is never asked a second time."""

    at_work = False

    def why_not_stable(self, _: Call) -> None: ...

    def comes_second(self, *_: object) -> bool:
        return False

    def tell(self, *_: object) -> None: ...

    def answered(self, *_: object) -> None: ...
