"""Who holds connections that say nothing keeps nobody else out: not with many addresses, not with many networks."""

import asyncio
from dataclasses import replace

import pytest

from pitwall_crds.host.http.connection_limits import ConnectionLimits
from pitwall_crds.host.http.places import MOST_HOSTS, Place, Places, peer_of, vouch

LIMITS = ConnectionLimits(per_peer=8, total=16)
HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"
WHOLE = HALF + b"\r\n"
MINE = HALF + b"Authorization: web\r\n\r\n"
"""Of a caller whose credentials are good."""
UNSENT = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"
NEVER = b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n"
STRANGERS = ("127.0.7.2", "127.0.7.3", "127.0.8.2", "127.0.8.3")
"""Four addresses of two networks; nobody else has those."""


async def served(client, request=MINE):
    """The answer to one more request of this connection."""
    await client.send(request)
    async with asyncio.timeout(30):
        head = await client.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await client.reader.readexactly(length)


async def until(claim):
    """A server has no event for it."""
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def crowd(site, addresses, each, sent=b""):
    """Connections of these addresses, each of which says so much and no more."""
    clients = []
    for address in addresses:
        for _ in range(each):
            clients.append(await site.client(address))
            await clients[-1].send(sent)
    await seen(site)
    return clients


async def seen(site):
    """Everybody who has connected until now has been accepted: connections are, in their order."""
    async with asyncio.timeout(30):
        assert await site.still_serves("127.99.0.1")


def ended(clients):
    return [client for client in clients if client.reader.at_eof() or client.reader.exception()]


@pytest.mark.parametrize("sent", [b"", HALF, WHOLE, UNSENT], ids=["nothing", "half a head", "a request", "half a body"])
async def test_strangers_who_fill_every_place_again_and_again_keep_nobody_out(serve, sent):
    site = await serve(LIMITS)
    await crowd(site, STRANGERS, 8, sent)
    for _ in range(8):
        assert await site.still_serves("127.1.0.1")
        await crowd(site, STRANGERS, 2, sent)

    assert len(site.server.server_state.connections) <= LIMITS.total + 1


async def test_who_waits_longest_among_those_with_most_makes_way_and_is_told(serve):
    site = await serve(replace(LIMITS, total=10))
    lonely = await site.client("127.1.0.1")
    few = await crowd(site, ["127.0.7.2", "127.0.7.3"], 1)
    many = await crowd(site, ["127.0.8.2"], 7)
    later = await crowd(site, ["127.2.0.1"], 2)

    told = [await client.rest() for client in many[:3]]
    assert all(answer.startswith(b"HTTP/1.1 503") and b"too many connections" in answer for answer in told)
    for client in (lonely, *few, *many[3:], *later):
        assert (await served(client)).startswith(b"HTTP/1.1 200")


async def test_whoever_is_slow_with_its_headers_has_its_time_while_strangers_come_and_go(serve):
    site = await serve(LIMITS)
    slow = await site.client("127.1.0.1")
    await slow.send(HALF)
    for _ in range(4):
        await crowd(site, STRANGERS, 8)

    assert (await served(slow, b"\r\n")).startswith(b"HTTP/1.1 200")


async def test_others_at_the_strangers_own_address_are_served(serve):
    """As behind one NAT."""
    site = await serve(LIMITS)
    for _ in range(3):
        await crowd(site, ["127.1.0.1"], 12)
        assert await site.still_serves("127.1.0.1")


@pytest.mark.parametrize("path", ["own address", "other addresses"])
async def test_who_has_shown_good_credentials_is_not_let_go_for_strangers(serve, path):
    site = await serve(LIMITS)
    mine = [await site.client("127.1.0.1") for _ in range(7)]
    for client in mine:
        await served(client)
    for _ in range(3):
        await crowd(site, ["127.1.0.1"] if path == "own address" else STRANGERS, 20)

    assert not ended(mine)
    for client in mine:
        assert (await served(client)).startswith(b"HTTP/1.1 200")


async def test_all_callers_behind_a_few_proxies_of_one_network_are_served_while_strangers_fill_the_rest(serve):
    """As behind an ingress: its connections are more than anybody's, and its next ones come in, too."""
    site = await serve(replace(LIMITS, total=24))
    proxies = ["127.5.0.1", "127.5.0.2"]
    kept = [await site.client(address) for address in proxies for _ in range(5)]
    for number, client in enumerate(kept):
        await served(client, HALF + b"Authorization: caller %d\r\n\r\n" % (number % 3))
    await crowd(site, STRANGERS, 8)
    for address in proxies * 3:
        assert (await served(await site.client(address))).startswith(b"HTTP/1.1 200")
        await crowd(site, STRANGERS, 2)

    assert not ended(kept)


async def test_a_whole_request_under_way_is_answered_and_who_comes_beyond_all_that_are_is_turned_away(serve):
    site = await serve(replace(LIMITS, total=5))
    asked = await crowd_of_askers(site, 5)
    late = await site.client()

    assert (await late.rest()).startswith(b"HTTP/1.1 503")
    assert not ended(asked)
    asked[0].writer.close()
    await until(lambda: len(site.server.server_state.connections) < 5)
    assert await site.still_serves()


async def crowd_of_askers(site, count, address="127.0.7.2"):
    """Connections whose requests are being answered."""
    clients = [await site.client(address) for _ in range(count)]
    for client in clients:
        await client.send(NEVER)
    await until(lambda: len(site.server.server_state.tasks) == count)
    return clients


async def test_a_quarter_of_all_is_left_for_those_from_whose_address_good_credentials_came(serve):
    site = await serve(replace(LIMITS, total=8))
    await served(await site.client("127.1.0.1"), MINE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    await until(lambda: not site.server.server_state.tasks)
    await crowd_of_askers(site, 6)
    stranger, known = await site.client("127.0.8.2"), await site.client("127.1.0.1")

    assert (await stranger.rest()).startswith(b"HTTP/1.1 503")
    assert (await served(known)).startswith(b"HTTP/1.1 200")


async def test_one_callers_credentials_hold_no_more_than_half_of_the_places(serve):
    site = await serve(LIMITS)
    greedy = [await site.client(address) for address in ("127.0.7.2", "127.0.8.2") for _ in range(8)]
    for client in greedy:
        await served(client)
    for _ in range(6):
        assert await site.still_serves("127.1.0.1")
        assert await served(await site.client("127.2.0.1"), HALF + b"Authorization: app\r\n\r\n")

    assert len(ended(greedy)) <= 8


@pytest.mark.parametrize(
    ("one", "other", "same_host", "same_network"),
    [
        ("192.0.2.1", "192.0.2.1", True, True),
        ("192.0.2.1", "192.0.2.77", False, True),
        ("192.0.2.1", "192.0.3.1", False, False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::7", True, True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False, True),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", False, False),
        ("::ffff:192.0.2.1", "192.0.2.1", True, True),
        ("::ffff:192.0.2.1", "::ffff:198.51.100.1", False, False),
        ("fe80::1%eth0", "fe80::2%eth0", True, True),
        ("", "192.0.2.1", False, False),
        ("testclient", "192.0.2.1", False, False),
    ],
)
def test_a_host_is_an_address_or_the_64_bits_of_ipv6_that_one_host_may_have(one, other, same_host, same_network):
    assert (peer_of(one).host == peer_of(other).host) is same_host
    assert (peer_of(one).network == peer_of(other).network) is same_network


def places_of(count, addresses, places):
    """So many connections, each from the next address, and who was let go."""
    gone = []
    for number in range(count):
        address = addresses(number)
        place = Place(peer_of(address), lambda address=address: gone.append(address))
        assert places.take(place)
    return gone


def test_of_a_thousand_addresses_of_ipv6_one_network_gives_way_to_whoever_comes():
    places = Places(total=100, per_peer=20)
    gone = places_of(10, lambda number: f"2001:db8:{number}::1", places)
    crowding = places_of(1000, lambda number: f"2001:db8:ff:{number % 500:x}::1", places)
    newcomers = places_of(50, lambda number: f"198.51.{number}.7", places)

    assert (gone, newcomers) == ([], [])
    assert len(crowding) == 1000 + 10 + 50 - 100


def test_of_connections_without_an_address_there_may_be_as_many_as_of_all():
    places = Places(total=100, per_peer=20)

    assert places_of(100, lambda _: "", places) == []


def test_nothing_is_remembered_of_connections_that_are_over():
    places = Places(total=10, per_peer=3)
    held = [Place(peer_of(f"192.0.2.{number}"), lambda: None) for number in range(30)]
    for number, place in enumerate(held):
        assert places.take(place)
        if number % 3:
            places.works(place)
        if number % 3 == 1:
            places.vouch(place, "web")
        if number > 5:
            places.leave(held[number - 5])
    for place in held * 2:
        places.leave(place)

    fresh = Places(total=10, per_peer=3)
    assert {**vars(places), "_known_hosts": {}} == vars(fresh)


def test_so_many_hosts_are_known_and_no_more():
    places = Places(total=10, per_peer=3)
    for number in range(2 * MOST_HOSTS):
        place = Place(peer_of(f"10.0.{number // 256}.{number % 256}"), lambda: None)
        places.take(place)
        places.vouch(place, "web")
        places.leave(place)

    assert len(places._known_hosts) == MOST_HOSTS


def test_a_server_that_is_none_of_ours_need_not_be_told():
    scopes = [{"type": "http"}, {"type": "http", "extensions": {}}]
    for scope in scopes:
        vouch(scope, "web")

    assert scopes == [{"type": "http"}, {"type": "http", "extensions": {}}], "nor is its request changed"
