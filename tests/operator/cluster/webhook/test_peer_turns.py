"""One peer's many requests wait for each other, and nobody else's for them."""

import asyncio

from pitwall_operator.cluster.webhook.peer_turns import PeerTurns


async def test_of_one_peer_so_many_are_worked_on_and_others_go_by():
    turns, worked_on = PeerTurns(2), list[str]()
    last, end = asyncio.Event(), asyncio.Event()

    async def ask(address: str) -> None:
        async with turns.turn(address):
            worked_on.append(address)
            if address == "2001:db8::1":
                last.set()
            await end.wait()

    asked = [asyncio.create_task(ask(address)) for address in (*["10.0.0.7"] * 9, "10.0.0.8", "2001:db8::1")]
    async with asyncio.timeout(60):
        await last.wait()
        assert sorted(worked_on) == ["10.0.0.7", "10.0.0.7", "10.0.0.8", "2001:db8::1"]
        end.set()
        await asyncio.gather(*asked)

    assert worked_on.count("10.0.0.7") == 9
    assert not turns._peers, "nothing is remembered of who asks no more"


async def test_who_gives_up_waiting_takes_no_turn():
    turns = PeerTurns(1)
    async with turns.turn("10.0.0.7"):
        waits = asyncio.create_task(turns.turn("10.0.0.7").__aenter__())
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
    async with asyncio.timeout(60), turns.turn("10.0.0.7"):
        pass

    assert not turns._peers
