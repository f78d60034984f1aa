"""A server that asked to be left alone is, by the party that it said so to, and no longer than it asked for."""

from pitwall_runtime.ingest.pauses import _MOST, HostPauses


def test_a_host_is_left_alone_by_one_party_and_for_its_time():
    now = 0.0
    pauses = HostPauses(lambda: now)
    pauses.note("app.ann", "https://Films.example/a.mp4", 30.0)
    asked = [("app.ann", "https://films.example/b.mp4"), ("app.bob", "https://films.example/b.mp4")]
    assert [pauses.left(*one) for one in (*asked, ("app.ann", "https://other.example/a.mp4"))] == [30.0, 0.0, 0.0]

    now = 31.0
    assert pauses.left(*asked[0]) == 0


def test_what_is_no_address_is_a_host_of_its_own():
    pauses = HostPauses(lambda: 0.0)
    pauses.note("", "http://[", 10.0)
    assert (pauses.left("", "http://["), pauses.left("", "http://[x")) == (10.0, 0.0)


def test_many_hosts_take_no_more_memory_and_those_that_are_over_make_room():
    now = 0.0
    pauses = HostPauses(lambda: now)
    for number in range(_MOST + 10):
        pauses.note("", f"http://{number}.example/", 5.0)
    assert pauses.left("", f"http://{_MOST + 9}.example/") == 0

    now = 6.0
    pauses.note("", "http://new.example/", 5.0)
    assert pauses.left("", "http://new.example/") == 5
