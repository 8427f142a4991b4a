"""How a log is found or made: who opens, on which services, and what is refused."""

import asyncio
import itertools
import random

import pytest
from odd_lists import live, until

import paxos
from paxos import Mismatch, ServiceError, opening
from paxos.drivers import wire
from paxos.drivers.places import place
from paxos.protocol.lists import Genesis


def names(world, count=3):
    """The name of each list, and the logs they belong to."""
    found = [wire.genesis(world.things(number)[0]) for number in range(1, count + 1)]
    return [one.name for one in found], {one.log for one in found}


async def opened(*urls, name="ann", **options):
    async with paxos.open(*urls, name=name, **options) as log:
        return log.live.genesis


@pytest.mark.parametrize("count", [1, 3, 5])
def test_empty_services_become_a_log_and_everybody_finds_it(world, count):
    @live
    async def run():
        first = await opened(*world.urls(count))
        second = await opened(*reversed(world.urls(count)), name="ben")
        assert wire.same(first, second) and len(first.lists) == count
        assert names(world, count) == ([f"s{n + 1}" for n in range(count)], {first.log})

    run()


def test_an_even_count_is_warned_of(world, caplog):
    @live
    async def run():
        await opened(*world.urls(2))
        assert "2 services survive no more failures than 1" in caplog.text
        caplog.clear()
        await opened(*world.urls(2))
        await opened(*world.urls(1), some=True)

    with pytest.raises(Mismatch, match="too few for a majority"):
        run()


@pytest.mark.parametrize(
    ("urls", "name", "error"),
    [
        ([], "ann", "no service is named"),
        (["memory:x", "memory:x", "memory:y"], "ann", "is named twice"),
        (["memory:x"], "a.b", "the name 'a.b'"),
        (["memory:x"], "a b", "the name"),
        (["memory:x"], "", "the name"),
        (["memory:x"], "a\x1b", "the name"),
        (["memory:x"], "a" * 65, "the name"),
        (["memory:x"], "\ud800", "the name"),
    ],
)
def test_mistakes_of_the_caller_are_told_at_once(urls, name, error):
    with pytest.raises(ValueError, match=error):
        paxos.open(*urls, name=name)


def test_a_url_that_cannot_be_closes_those_before_it(world):
    @live
    async def run():
        await opened(*world.urls(2), "gopher:x")

    with pytest.raises(ServiceError, match="no service is called"):
        run()


def test_a_new_log_needs_every_service(world):
    world[2].down = True

    @live
    async def run():
        with pytest.raises(ServiceError, match=r"every one of its services.*memory:odd2: no route"):
            await opened(*world.urls())
        assert [len(world.things(n)) for n in (1, 2, 3)] == [0, 0, 0]

    run()


def test_a_log_that_is_there_opens_without_a_minority_or_more(world, caplog):
    @live
    async def run():
        its = await opened(*world.urls())
        world[2].down = True
        assert await opened(*world.urls(), name="ben") == its
        assert caplog.messages.count("memory:odd2 is out of reach: no route") == 1
        world[3].down = True
        assert await opened(*world.urls(), name="ben") == its
        world[1].down = True
        with pytest.raises(ServiceError):
            await opened(*world.urls(), name="ben")

    run()


def test_a_service_that_never_answers_holds_up_nobody_who_opens(world):
    @live
    async def run():
        its = await opened(*world.urls())
        world[1].delay = 1000.0
        assert wire.same(await opened(*world.urls(), name="ben"), its)
        assert world[1].busy == 0

    run()


def test_all_services_must_be_named_unless_some_are_left_out_on_purpose(world):
    @live
    async def run():
        its = await opened(*world.urls())
        for urls in (world.urls(2), world.urls(1), world.urls(5)):
            with pytest.raises(Mismatch, match=f"has 3 services, but {len(urls)} are named"):
                await opened(*urls)
        with pytest.raises(Mismatch, match="has 3 services, but 5"):
            await opened(*world.urls(5), some=True)
        with pytest.raises(Mismatch, match="too few for a majority"):
            await opened(*world.urls(1), some=True)
        assert await opened(*world.urls(2), some=True) == its

    run()


def test_two_logs_are_not_mixed(world):
    @live
    async def run():
        urls = world.urls(6)
        await opened(*urls[:3])
        await opened(*urls[3:])
        with pytest.raises(Mismatch, match="memory:odd1 and memory:odd4 belong to two different"):
            await opened(urls[0], urls[1], urls[3])

    run()


def test_the_same_list_under_two_urls_is_found_out(tmp_path):
    (tmp_path / "link").symlink_to("a")

    @live
    async def run():
        urls = [f"file://{tmp_path}/{name}" for name in ("a", "b", "c")]
        await opened(*urls)
        with pytest.raises(Mismatch, match=r"/a and .*/link are the same list"):
            await opened(urls[0], f"file://{tmp_path}/link", urls[1])

    run()


@pytest.mark.parametrize(
    ("things", "error"),
    [
        ([b"a photo"], "holds something else than a log"),
        ([b"paxos/2 {}"], "newer version"),
        ([wire.pack(Genesis("s1", ("s2",), "x"))], "newer version of paxos, or is damaged"),
    ],
)
def test_a_place_that_holds_anything_else_is_refused(world, things, error):
    @live
    async def run():
        world.things(2).extend(things)
        with pytest.raises(Mismatch, match=error):
            await opened(*world.urls())
        assert world.things(1) == []

    run()


def test_an_emptied_service_is_not_taken_for_a_new_one(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            await log.append("x")
        world.things(3).clear()
        with pytest.raises(Mismatch, match="memory:odd3 is empty, but the log exists"):
            await opened(*world.urls(), name="ben")
        await opened(*world.urls(2), name="ben", some=True)

    run()


@pytest.mark.parametrize("made", [1, 2])
@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3)))[:3])
def test_a_creation_cut_short_is_finished_by_the_next(world, made, order):
    @live
    async def run():
        lists = ("s1", "s2", "s3")
        for number in range(1, made + 1):
            world.things(number).append(wire.pack(Genesis(f"s{number}", lists, "f" * 32)))
        world[3].down = True
        if made == 1:
            with pytest.raises(ServiceError, match="every one of its services"):
                await opened(*world.urls())
        world[3].down = False
        await opened(*(f"memory:odd{n}" for n in order))
        assert names(world) == (["s1", "s2", "s3"], {"f" * 32})

    run()


def test_a_creator_that_is_stopped_anywhere_leaves_what_the_next_can_finish(world):
    """Cancelled after each number of requests in turn."""

    @live
    async def run():
        for stop in range(1, 12):
            for number in (1, 2, 3):
                world.things(number).clear()
                world[number].requests = 0
                world[number].delay = 0.0
            task = asyncio.create_task(opened(*world.urls()))
            while sum(world[n].requests for n in (1, 2, 3)) < stop and not task.done():
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await opened(*world.urls(), name="ben")
            found, logs = names(world)
            assert found == ["s1", "s2", "s3"] and len(logs) == 1

    run()


RACES = [("memory", seed) for seed in range(8)]
RACES += [(kind, seed) for kind in ("file", "sqlite", "mixed") for seed in range(2)]


@pytest.mark.parametrize(("kind", "seed"), RACES)
def test_creators_at_once_make_one_log(world, tmp_path, kind, seed):
    chance = random.Random(seed)
    urls = {
        "memory": world.urls(),
        "file": [f"file://{tmp_path}/{n}" for n in range(3)],
        "sqlite": [f"sqlite://{tmp_path}/{n}.db" for n in range(3)],
        "mixed": [f"file://{tmp_path}/f", f"sqlite://{tmp_path}/s.db", "memory:odd1"],
    }[kind]

    @live
    async def run():
        for number in (1, 2, 3):
            world[number].delay = chance.random() * 0.002
        creators = []
        for name in ("ann", "ben", "cleo"):
            order = chance.sample(urls, 3)
            creators.append(opened(*order, name=name, chance=random.Random(chance.random())))
        made = await asyncio.gather(*creators)
        assert len({(one.log, one.lists) for one in made}) == 1
        assert await opened(*urls)

    run()


@pytest.mark.parametrize("fault", ["vanish", "unsure", "lose"])
def test_a_creation_without_an_answer_is_looked_up(world, fault):
    @live
    async def run():
        for number in (1, 2, 3):
            setattr(world[number], fault, 1)
        await opened(*world.urls())
        assert [len(world.things(number)) for number in (1, 2, 3)] == [1, 1, 1]

    run()


async def made(world, found):
    """Make what is missing, by what was seen a while ago."""
    places = [place(url, 1.0) for url in world.urls()]
    empty = places[len(found) :]
    await opening.make(places, empty, found, random.Random(1))
    for one in places:
        await one.service.close()
    return [bool(world.things(number)) for number in (1, 2, 3)]


def test_who_is_not_sure_of_the_first_list_puts_nothing_into_the_others(world):
    world[1].vanish = 1

    @live
    async def run():
        assert await made(world, []) == [False, False, False]
        assert await made(world, []) == [True, False, False]

    run()


def test_who_finds_another_at_work_looks_again_before_it_goes_on(world):
    """Or the list that the other has given a name already would get it twice."""
    first = Genesis("s1", ("s1", "s2", "s3"), "f" * 32)
    world.things(1).append(wire.pack(first))
    world.things(2).append(wire.pack(Genesis("s3", first.lists, first.log)))

    @live
    async def run():
        assert await made(world, [first]) == [True, True, False]
        await opened(*world.urls())
        assert names(world) == (["s1", "s3", "s2"], {first.log})

    run()


def test_a_place_that_breaks_its_promises_is_out_of_reach_also_when_it_comes_back(world):
    @live
    async def run():
        await opened(*world.urls())
        world[2].down = world[2].bad = True
        async with paxos.open(*world.urls(), name="ben") as log:
            world[2].down = False
            await log.append("x", timeout=20)
            await until(lambda: "it overwrites" in (log.status()[1].error or ""))
            assert log.status()[1].list is None
        async with paxos.open(*world.urls(), name="ben") as log:
            assert "it overwrites" in log.status()[1].error
        assert len(world.things(2)) == 1

    run()


def test_a_service_without_credentials_is_an_outage(world, monkeypatch):
    pytest.importorskip("obstore")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    lists = ("s1", "s2", "s3")

    @live
    async def run():
        for number in (1, 2):
            world.things(number).append(wire.pack(Genesis(f"s{number}", lists, "f" * 32)))
        async with paxos.open(*world.urls(2), "s3://bucket/place", name="ann") as log:
            assert await log.append("x", timeout=20) == 0
            assert log.status()[2].up is False
            assert "AWS_ACCESS_KEY_ID" in log.status()[2].error

    run()


def test_the_limit_of_a_new_log_is_that_of_the_narrowest_service(world, monkeypatch):
    @live
    async def run():
        places = [place(url, 1.0) for url in world.urls()]
        places[1].service.limit = 100_000
        assert (await opening.find(places)).limit == 100_000
        for one in places:
            await one.service.close()

    run()
