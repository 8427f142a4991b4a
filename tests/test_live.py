"""The driver: how often it asks, what it drops, how long it waits; and what it costs."""

import asyncio
import random
import time

import pytest
from odd_lists import Odd, live, until

import paxos
from paxos.drivers import live as driver
from paxos.drivers.live import ALWAYS, SOON, Live, ballot, content
from paxos.drivers.places import Mismatch, place
from paxos.opening import find
from paxos.protocol.ballot import Ballot
from paxos.protocol.lists import Entry, Genesis
from paxos.protocol.messages import Accept, Append, Command, Fetch, InSlot, Prepare
from paxos.services.contract import ServiceError
from paxos.trace import Sent


def client(world, count=3):
    """A client that does not work yet."""
    names = tuple(f"s{n + 1}" for n in range(count))
    places = [place(url, 1.0) for url in world.urls(count)]
    for one, name in zip(places, names, strict=True):
        one.name = name
    return Live("ann", Genesis("s1", names, "f" * 32), places, random.Random(1))


def asked(number, request):
    return Sent(number, "s1", request)


def accept(round, slot=0):
    b = Ballot(round, "ann")
    return Append(Entry("ann", round, InSlot(slot, Accept(b, ())), "f" * 32))


@live
async def close(it):
    await driver.shut(it.places)


# What is asked.


def test_what_a_newer_request_makes_needless_is_dropped(world):
    it = client(world)
    one = it.places[0]

    def inbox(*requests):
        it.ask(one, [asked(n, request) for n, request in enumerate(requests)])
        return [sent.message for sent in one.inbox]

    prepare = Append(Entry("ann", 0, InSlot(0, Prepare(Ballot(2, "ann"))), "f" * 32))
    assert inbox(Fetch(0)) == [Fetch(0)]
    assert inbox(Fetch(3)) == [Fetch(3)]
    assert inbox(accept(1), accept(1, 1)) == [accept(1), accept(1, 1)]
    assert inbox(accept(1)) == [accept(1, 1), accept(1)], "asked again: once"
    assert inbox(prepare) == [prepare], "a new ballot: the old one is over"
    assert inbox(*(accept(3, slot) for slot in range(300))) == [
        accept(3, slot) for slot in range(300 - driver.LONGEST, 300)
    ]
    one.refuse("for a test")
    assert inbox(Fetch(0)) == []
    close(it)


def test_the_only_service_is_asked_in_order_however_much_waits(world):
    it = client(world, 1)
    commands = [Append(Entry("ann", n, Command("ann", n, ""), "f" * 32)) for n in range(1000)]
    it.ask(it.places[0], [asked(n, one) for n, one in enumerate(commands)])
    assert [sent.message for sent in it.places[0].inbox] == commands
    assert (content(commands[0]), ballot(commands[0])) == (Command("ann", 0, ""), ALWAYS)
    close(it)


def test_an_append_that_was_made_in_the_meantime_is_not_made_again(world):
    @live
    async def run():
        async with paxos.open(*world.urls(1), name="ann") as log:
            it = log.live
            await until(lambda: it.me.online)
            mine = it.propose("x")
            again = Append(Entry(it.identity, 9, mine, it.genesis.log))
            assert not it.vain(again)
            await until(lambda: it.me.member.log)
            assert it.vain(again)
            it.ask(it.places[0], [Sent(10**6, "s1", again)])
            await log.read(20)
        assert len(world.things(1)) == 2

    run()


def test_the_appends_of_a_ballot_that_is_over_are_not_made(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            await log.append("x", timeout=20)
            it = log.live
            ours = it.me.member.ballot
            for round, vain in ((ours.round - 1, True), (ours.round, False)):
                request = Accept(Ballot(round, ours.proposer), ())
                entry = Entry(it.identity, 9, InSlot(0, request), it.genesis.log)
                assert it.vain(Append(entry)) is vain
            assert not it.vain(Fetch(0))

    run()


# How often.


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_a_follower_with_nothing_to_follow_asks_seldom(world, delay):
    """Counted against the clock of the loop: however slow the machine, it may only ask less."""

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            for number in (1, 2, 3):
                world[number].delay = delay
            follower = asyncio.create_task(anext(aiter(log)))
            before, began = sum(world[n].requests for n in (1, 2, 3)), time.monotonic()
            await asyncio.sleep(1.5)
            spent = time.monotonic() - began
            count = sum(world[n].requests for n in (1, 2, 3)) - before
            least = 5 * SOON / 2  # seconds between two looks, once it is quiet
            assert 3 <= count <= 3 * (4 + spent / least)
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)

    run()


def test_looks_become_rarer_with_slow_services_and_a_minority_does_not_count(world):
    it = client(world)
    for one, latency in zip(it.places, (0.1, 0.2, 50.0), strict=True):
        one.up, one.latency = True, latency
    assert it.latency == 0.2
    waits = [it.patience("news") for _ in range(12)]
    assert max(waits) <= 4.0 and waits[-1] > 1.0 > waits[0]
    it.places[0].up = it.places[1].up = False
    assert it.latency == 50.0 and it.patience("news") <= 5.0
    close(it)


def test_a_wait_in_vain_is_longer_the_next_time_but_not_for_ever(world, monkeypatch):
    it, now = client(world), [0.0]
    monkeypatch.setattr(it, "step", lambda _: it.patience("answers"))
    monkeypatch.setattr(driver, "LOST", 2.0)
    monkeypatch.setattr(driver.time, "monotonic", lambda: now[0])
    assert it.patience("answers") == max(driver.LOST, 8 * SOON)
    now[0] = 0.3
    assert it.patience("answers") == pytest.approx(8 * 0.3)  # a phase took 0.3 s
    for missed, most in ((1, 2), (2, 4), (50, 4)):
        it.missed, it.why = missed, ""
        assert it.patience("answers") == pytest.approx(most * 8 * 0.3)
    it.missed, it.why = 0, "answers"
    now[0] = 1.9
    it.wake("answers", Ballot(0, ""))  # in vain: that was no phase
    assert it.pace == 0.3
    it.lost = 0
    rivals = [it.patience("rival") for _ in range(100)]
    assert max(rivals) < 0.3 * 2 * 64 and len(set(rivals)) == 100
    close(it)


class Telling(Odd):
    """A service that tells of news by itself."""

    told = 0

    async def news(self, known, patience):
        async with asyncio.timeout(patience):
            while len(self.things) <= known:
                await asyncio.sleep(0.002)
                if self.faults.down:
                    raise ServiceError("no route", "network")
        type(self).told += 1


def test_a_service_that_tells_of_news_is_looked_at_when_it_does(world, monkeypatch):
    monkeypatch.setattr(driver, "RARELY", 1000.0)
    monkeypatch.setattr(Live, "patience", lambda self, why: 1000.0)
    monkeypatch.setattr(Telling, "told", 0)

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as ann:
            await ann.append("x", timeout=20)
            with monkeypatch.context() as patch:
                patch.setattr("odd_lists.Odd", Telling)
                ben = paxos.open(*world.urls(), name="ben")
                await ben.__aenter__()
            async with asyncio.timeout(20):
                assert (await ben.at(0)).text == "x"
                for number in range(1, 4):
                    await ann.append(f"{number}", timeout=20)
                    assert (await ben.at(number)).text == f"{number}"
            assert Telling.told >= 3
            await ben.__aexit__()

    run()


def test_a_false_alarm_is_not_followed_by_another_look_at_once(world, monkeypatch):
    class Nervous(Odd):
        async def news(self, known, patience):
            type(self).calls += 1

        calls = 0

    @live
    async def run():
        with monkeypatch.context() as patch:
            patch.setattr("odd_lists.Odd", Nervous)
            log = paxos.open(*world.urls(), name="ann")
            await log.__aenter__()
        await asyncio.sleep(0.5)
        assert 1 <= Nervous.calls <= 6
        await log.__aexit__()

    run()


# What it is told.


def test_a_mistake_of_ours_is_told_to_whoever_waits(world, monkeypatch):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:

            def broken(*_):
                raise ZeroDivisionError("a mistake of ours")

            monkeypatch.setattr(log.live, "vain", broken)
            with pytest.raises(ZeroDivisionError):
                await log.append("x", timeout=20)
            with pytest.raises(ZeroDivisionError):
                await log.read(timeout=20)

    run()


def test_a_mistake_of_ours_in_a_timer_is_told_too(world, monkeypatch):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:

            def broken(*_):
                raise ZeroDivisionError("a mistake of ours")

            monkeypatch.setattr(log.live, "step", broken)
            log.live.wake("news", Ballot(0, ""))
            with pytest.raises(ZeroDivisionError):
                await log.read(timeout=20)

    run()


def test_with_too_few_services_left_there_is_no_hope(world):
    it = client(world)
    it.refuse(it.places[0], "for a test")
    assert it.failure is None
    it.refuse(it.places[1], "for a test")
    assert isinstance(it.failure, Mismatch)
    close(it)


def test_time_in_a_trace_never_runs_back(world, monkeypatch):
    it, now = client(world), iter([5_000_000, 3_000_000, 9_000_000])
    monkeypatch.setattr(driver.time, "time_ns", lambda: next(now))
    assert [it.clock(), it.clock(), it.clock()] == [5, 5, 9]
    close(it)


def test_a_service_that_cannot_be_closed_does_not_keep_the_others_open(world, caplog):
    @live
    async def run():
        it = client(world)

        async def broken():
            raise OSError("secret")

        it.places[0].service.close = broken
        await driver.shut(it.places)
        world[1].open = 0

    run()
    assert caplog.messages == ["memory:odd1 was not closed: OSError"]


def test_a_decision_costs_a_request_and_a_half_of_each_service_at_most(world):
    """Where the end of the list is known an append is all: nobody needs to read it back."""

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            await log.append("0", timeout=20)
            before = [world[n].requests for n in (1, 2, 3)]
            for number in range(1, 41):
                await log.append(f"{number}", timeout=20)
            spent = [world[n].requests - then for n, then in zip((1, 2, 3), before, strict=True)]
            assert max(spent) <= 60

    run()


@pytest.mark.nightly
def test_our_own_code_takes_less_than_a_millisecond_per_decision(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            for number in range(1000):
                await log.append(f"{number}")
            began = time.process_time()
            for number in range(100):
                await log.append(f"{number}")
            assert (time.process_time() - began) / 100 < 0.002  # half of it for slow machines

    run()


def test_a_log_is_found_by_the_same_call_that_makes_it(world):
    @live
    async def run():
        for _ in range(2):
            places = [place(url, 1.0) for url in world.urls()]
            its = await find(places)
            assert [one.name for one in places] == list(its.lists)
            await driver.shut(places)

    run()


def test_who_leaves_lets_a_slower_service_put_down_what_was_decided(world):
    """Else every short life would leave the slowest list without votes."""

    @live
    async def run():
        async with paxos.open(*world.urls(), name="maker"):
            pass
        world[3].delay = 0.06
        async with paxos.open(*world.urls(), name="ann") as log:
            await log.append("one")
        assert len(world.things(3)) == len(world.things(1))

    run()
