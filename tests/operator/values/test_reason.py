"""What people are told may quote a pod, a server or a user, and none of them reaches a terminal by it."""

from pitwall_crds.names import EventReason
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.reason import StatusReason

HOSTILE = "exited\x1b[2J\nall is well\u202e"
SPELLED = "exited\\x1b[2J\\nall is well\\u202e"


def test_conditions_and_events_spell_control_characters_out():
    assert StatusReason("Waiting", HOSTILE).message == SPELLED
    assert Announce(EventReason.REFUSED, HOSTILE).message == SPELLED
