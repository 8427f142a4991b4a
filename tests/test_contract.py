"""The contract itself: numbered names, what is known of them, and calls that block, aside."""

import asyncio
import threading

import pytest
from odd_lists import live

from paxos.services.contract import Aside, NotTheEnd, Numbered, ServiceError, together
from paxos.services.memory import Memory


class Names(Numbered):
    """Names in memory: each request takes one turn of the loop. `trouble` is raised once, before or after."""

    PAUSE = 0.0

    def __init__(self, count=0, guess=0):
        super().__init__("names:")
        self.there = {self.name(n): b"%d" % n for n in range(count)}
        self.guess, self.before, self.after = guess, list[Exception](), list[Exception]()
        self.asked = list[str]()

    async def put(self, name, entry):
        self.asked.append(f"put {int(name)}")
        if self.before:
            raise self.before.pop()
        new = name not in self.there
        self.there.setdefault(name, entry)
        await asyncio.sleep(0)
        if self.after:
            raise self.after.pop()
        return new

    async def get(self, name):
        self.asked.append(f"get {int(name)}")
        await asyncio.sleep(0)
        return self.there.get(name)

    async def hint(self):
        return self.guess


def lost():
    return ServiceError("no answer", "network", retry=True, unsure=True)


@live
async def test_an_append_whose_answer_is_lost_is_looked_up_and_not_made_twice():
    names = Names(3, guess=3)
    names.after = [lost()]
    assert await names.append(b"new") == 3
    assert await names.fetch(2) == [b"2", b"new"]
    names.before = [lost()]
    assert await names.append(b"newer") == 4
    assert sorted(names.there.values()).count(b"newer") == 1


@live
async def test_while_one_position_is_unsure_no_other_is_tried():
    names = Names(1, guess=1)
    names.before = [lost() for _ in range(Numbered.TRIES)]
    assert await names.append(b"new") is None
    assert {one for one in names.asked if one.startswith("put")} == {"put 1"}


@pytest.mark.parametrize("guess", [0, 1, 60, 100, 101, 150, 1000])
@live
async def test_a_hint_that_is_wrong_costs_a_few_requests_and_no_entry(guess):
    names = Names(100, guess)
    assert await names.append(b"new") == 100
    assert len(names.asked) <= 26


@pytest.mark.parametrize("kind", [Names, lambda: Memory("memory:")])
@live
async def test_a_position_before_the_first_is_not_the_end(kind):
    door = kind()
    for at in (-1, 1):
        with pytest.raises(NotTheEnd):
            await door.append(b"new", at=at)
    assert await door.fetch() == []
    assert not getattr(door, "there", None), "nothing was made under another name"


@live
async def test_a_cancelled_append_leaves_the_door_in_order():
    for turns in range(6):
        names = Names(1, guess=1)
        task = asyncio.ensure_future(names.append(b"cancelled"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert names.known <= len(names.there)
        position = await names.append(b"next")
        assert (await names.fetch())[position] == b"next"
        assert list(names.there.values()).count(b"cancelled") <= 1


@live
async def test_appends_at_once_through_one_door_take_a_position_each():
    names = Names()
    positions = await together(*(names.append(b"new %d" % n) for n in range(8)))
    assert sorted(positions) == list(range(8))
    assert await names.fetch() == [b"new %d" % positions.index(n) for n in range(8)]


@live
async def test_who_fetches_knows_no_more_positions_than_there_are():
    names = Names(3, guess=3)
    assert await names.fetch(7) == []
    assert names.known == 0
    assert await names.append(b"new") == 3


@live
async def test_aside_survives_a_loop_that_closes_while_it_works():
    """The next loop of the program would wait for a thread that is dead."""
    aside, go = Aside(), threading.Event()

    class Closing:
        """A loop that is closed between the look at it and the call."""

        def is_closed(self):
            return False

        def call_soon_threadsafe(self, *_):
            go.set()
            raise RuntimeError("Event loop is closed")

    aside.calls.put((Closing(), None, int, ()))
    go.wait(5)
    async with asyncio.timeout(5):
        assert await aside(lambda: 3) == 3
    aside.close()


@live
async def test_aside_says_that_it_is_closed_instead_of_waiting_for_ever():
    aside = Aside()
    aside.close()
    with pytest.raises(ServiceError, match="closed"):
        async with asyncio.timeout(5):
            await aside(int)


@live
async def test_aside_raises_even_what_no_future_may_carry():
    aside = Aside()
    with pytest.raises(RuntimeError, match="StopIteration"):
        async with asyncio.timeout(5):
            await aside(next, iter(()))
    aside.close()


@live
async def test_another_list_is_named_beside_a_list():
    assert await Names().beside("x") == "names:/x"
    assert await Memory("memory:a").beside("x") == "memory:a/x"
    names = Names()
    names.url = "names://host/place/?endpoint=http://127.0.0.1:1"
    assert await names.beside("x") == "names://host/place/x?endpoint=http://127.0.0.1:1"


def test_an_entry_has_bytes_and_not_too_many():
    names = Names()
    for entry in (b"", bytes(names.limit + 1)):
        with pytest.raises(ServiceError) as refused:
            names.fits(entry)
        assert refused.value.blame == "caller"
