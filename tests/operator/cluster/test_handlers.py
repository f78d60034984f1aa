"""How the API server is watched: never given up, and never believed when it is silent for long."""

from itertools import islice
from typing import Any

from pitwall_operator.cluster import handlers
from pitwall_operator.cluster.handlers import WatchPlan
from pitwall_operator.cluster.settings import read

DAY = 86_400


def settings_of(*arguments: str) -> Any:
    chosen = read(["--flags-url", "http://f", "--runtime-image", "i", *arguments])
    unused: Any = None
    plan = WatchPlan((), unused, unused, unused, unused, silence_seconds=chosen.watch_silence_seconds)
    return handlers._settings(plan)


def test_an_api_server_that_is_away_is_asked_again_soon_and_for_ever():
    pauses = settings_of().networking.error_backoffs
    for _ in range(2):
        asked = list(islice(pauses, DAY))
        assert len(asked) == DAY
        assert max(asked) == 4


def test_a_silent_watch_outlives_a_bookmark_and_no_more():
    assert 60 < settings_of().watching.inactivity_timeout < 75
    assert settings_of("--watch-silence-seconds=5").watching.inactivity_timeout == 5
