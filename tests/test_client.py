"""The public door: what a program asks of a log, and what it gets while services fail."""

import asyncio
import logging
import subprocess
import sys

import pytest
from odd_lists import live, until

import paxos
from paxos import Mismatch, ServiceError, Undecided
from paxos.drivers import wire
from paxos.protocol.events import Timeout
from paxos.protocol.lists import Entry as Written
from paxos.protocol.messages import Command

ODD = [
    b"",
    b"\0",
    b"\xff\xfe",
    "é \U0001f697 \u2028 \n\t".encode(),
    b'{"kind":"Genesis"}',
    b"\0AAAA",
]


def texts(entries):
    return [one.text for one in entries]


def test_the_package_opens_nothing_until_it_is_asked():
    code = (
        "import sys, paxos; assert not {'asyncio', 'paxos.client'} & set(sys.modules), 'loaded'; "
        "paxos.open; assert 'paxos.client' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {"open", "Log", "Mismatch"} <= set(paxos.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'shut'"):
        _ = paxos.shut


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_what_is_appended_is_read_by_everybody_in_one_order(world, count):
    @live
    async def run():
        urls = world.urls(count)
        async with paxos.open(*urls, name="ann") as ann, paxos.open(*urls, name="ben") as ben:
            indices = []
            for number in range(5):
                indices.append(await (ann, ben)[number % 2].append(f"{number}", timeout=20))
            assert indices == [0, 1, 2, 3, 4]
            mine, theirs = await ann.read(20), await ben.read(20)
            assert mine == theirs and texts(mine) == list("01234")
            assert [one.author for one in mine] == ["ann", "ben", "ann", "ben", "ann"]
            assert [one.index for one in mine] == indices
        async with paxos.open(*urls, name="cleo") as cleo:
            assert await cleo.read(20) == mine

    run()


@pytest.mark.parametrize("count", [1, 3])
def test_an_entry_is_any_bytes(world, count):
    @live
    async def run():
        async with paxos.open(*world.urls(count), name="ann") as log:
            for raw in ODD:
                await log.append(raw)
            await log.append(bytearray(b"x"))
        async with paxos.open(*world.urls(count), name="ben") as log:
            assert [one.data for one in await log.read(20)] == [*ODD, b"x"]

    run()


def test_what_is_no_entry_is_refused_and_nothing_is_appended(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            most = (log.live.genesis.limit - wire.OVERHEAD) // wire.BATCHED
            for long in (b"x" * (most - 1), b"\xff" * most, "é" * most, "\x01" * most):
                with pytest.raises(ServiceError, match=r"is too long: 64,512 at most") as error:
                    await log.append(long)
                assert error.value.blame == "caller"
            for odd in (3, None, ["x"]):
                with pytest.raises(TypeError, match="bytes or text"):
                    await log.append(odd)
            with pytest.raises(UnicodeEncodeError):
                await log.append("\udc80")
            assert await log.append(b"x" * (most - 2), timeout=20) == 0
            assert len(world.things(1)) == 3

    run()


def test_many_at_once_keep_the_order_of_their_calls(world):
    @live
    async def run():
        for count, urls in (
            (300, world.urls(1)),
            (300, ["memory:odd4", "memory:odd5", "memory:odd6"]),
        ):
            async with paxos.open(*urls, name="ann") as log:
                appends = [log.append(f"{number}", timeout=50) for number in range(count)]
                assert await asyncio.gather(*appends) == list(range(count))
                assert texts(await log.read(20)) == [f"{number}" for number in range(count)]

    run()


def test_a_follower_is_told_of_all_from_the_first_one_on(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as ann:
            await ann.append("0")
            async with paxos.open(*world.urls(), name="ben") as ben:

                async def follow(count):
                    found = []
                    async for one in ben:
                        found.append(one.text)
                        if len(found) == count:
                            break
                    return found

                one, two = asyncio.create_task(follow(1)), asyncio.create_task(follow(3))
                assert await one == ["0"] and not two.done()
                await ann.append("1")
                await ann.append("2")
                assert await two == ["0", "1", "2"]

    run()


def test_whoever_waits_is_told_that_the_log_was_closed(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:

            async def follow():
                async for _ in log:
                    pass

            follower = asyncio.create_task(follow())
            await log.append("x")
            world[1].down = world[2].down = True
            append = asyncio.create_task(log.append("y"))
            await asyncio.sleep(0)
        for task in (follower, append):
            with pytest.raises(RuntimeError, match="the log is closed"):
                await task
        for call in (log.append("x"), log.read()):
            with pytest.raises(RuntimeError, match="the log is closed"):
                await call
        with pytest.raises(RuntimeError, match="opened once"):
            async with log:
                pass
        with pytest.raises(RuntimeError, match="the log is not open"):
            await paxos.open(*world.urls(), name="ann").append("x")

    run()


# Services that fail.


def test_one_of_three_vanishes_and_comes_back(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            for gone in (1, 2, 3):
                world[gone].down = True
                await log.append(f"without {gone}", timeout=20)
                await until(lambda gone=gone: log.status()[gone - 1].up is False)
                assert "no route" in log.status()[gone - 1].error
                world[gone].down = False
                await until(lambda gone=gone: log.status()[gone - 1].up)
            assert len(await log.read(timeout=20)) == 3

    run()


def test_a_service_that_was_away_at_opening_takes_part_when_it_is_there(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as ann:
            await ann.append("x")
        world[1].down = True
        async with paxos.open(*world.urls(), name="ben") as ben:
            assert await ben.append("y", timeout=20) == 1
            assert ben.status()[0].list is None
            world[1].down, world[2].down = False, True
            assert await ben.append("z", timeout=20) == 2
            assert ben.status()[0].list == "s1"

    run()


@pytest.mark.parametrize("what", ["another log", "a list twice", "no list", "a newer version"])
def test_what_comes_back_and_is_something_else_is_never_used(world, what, caplog):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as ann:
            await ann.append("x")
        async with paxos.open("memory:odd4", name="ann"):
            pass
        bad = {
            "another log": world.things(4)[:1],
            "a list twice": world.things(2)[:],
            "no list": [b"a photo"],
            "a newer version": [b"paxos/2 {}"],
        }[what]
        world[1].down = True
        async with paxos.open(*world.urls(), name="ben") as ben:
            world.things(1)[:] = bad
            world[1].down = False
            await until(lambda: "not used any more" in (ben.status()[0].error or ""))
            assert ben.status()[0].list is None  # it never got a name
            assert await ben.append("y", timeout=20) == 1
            assert world.things(1) == bad and ben.status()[0].up is False
            assert "memory:odd1 is not used any more" in caplog.text

    run()


def test_too_few_services_leave_it_undecided_and_later_it_comes_true(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            world[1].down = world[3].down = True
            with pytest.raises(
                Undecided, match=r"after 0\.2 s\. 1 of 3 services answer; memory:odd1"
            ):
                await log.append("x", timeout=0.2)
            with pytest.raises(Undecided, match=r"Too few services answer after 0\.1 s"):
                await log.read(timeout=0.1)
            with pytest.raises(TimeoutError):
                await log.append("y", timeout=0)
            world[1].down = False
            assert await log.append("z", timeout=20) == 2
            assert texts(await log.read(20)) == ["x", "y", "z"]

    run()


def test_an_append_that_is_cancelled_may_still_be_decided_and_hurts_nobody(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            for faults in (world[1], world[2], world[3]):
                faults.delay = 0.05
            task = asyncio.create_task(log.append("x"))
            await until(lambda: log.live.me.member.busy)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await log.append("y", timeout=20) == 1
            assert texts(await log.read(20)) == ["x", "y"]

    run()


@pytest.mark.parametrize("fault", ["unsure", "lose"])
@pytest.mark.parametrize("count", [1, 3])
def test_an_append_without_an_answer_is_in_the_log_once(world, fault, count):
    @live
    async def run():
        async with paxos.open(*world.urls(count), name="ann") as log:
            await log.append("a", timeout=20)
            for number in range(1, count + 1):
                setattr(world[number], fault, 2)
            assert await log.append("b", timeout=30) == 1
            assert await log.append("c", timeout=30) == 2
            assert texts(await log.read(20)) == ["a", "b", "c"]

    run()


def test_a_slow_service_blocks_nobody_and_its_request_is_cancelled_cleanly(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as ann:
            world[2].delay, steps = 1000.0, []
            ann.live.record = steps.append
            assert await ann.append("0", timeout=20) == 0
            assert not any(isinstance(one.event, Timeout) for one in steps), "waited in vain"
            for number in range(1, 20):
                assert await ann.append(f"{number}", timeout=20) == number
            await until(lambda: world[2].busy == 1)
            async with paxos.open(
                *world.urls(2), "memory:odd3", name="ben", request_timeout=1
            ) as ben:
                assert len(await ben.read(timeout=20)) == 20
            assert ann.live.latency < 1 and len(ann.live.places[1].inbox) <= 256
        assert world[2].busy == 0

    run()


def test_a_broken_client_library_is_an_outage_and_its_words_are_kept_back(world, caplog):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            world[3].breaks = True
            await log.append("x", timeout=20)
            await until(lambda: log.status()[2].up is False)
            assert log.status()[2].error == "memory:odd3: KeyError in the client library"

    run()
    assert "secret" not in caplog.text


# What stands in the lists.


def test_foreign_bytes_are_skipped(world):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            await log.append("x")
            for number in (1, 2, 3):
                world.things(number).append(b"a photo")
            await log.append("y", timeout=20)
        async with paxos.open(*world.urls(), name="ben") as log:
            assert texts(await log.read(20)) == ["x", "y"]
            assert all(one.up and not one.error for one in log.status())

    run()


@pytest.mark.parametrize("count", [1, 3])
def test_a_newer_version_in_a_list_stops_its_readers(world, count, caplog):
    @live
    async def run():
        async with paxos.open(*world.urls(count), name="ann") as log:
            await log.append("x", timeout=20)
            world.things(1).append(b"paxos/2 {}")
            await until(
                lambda: "not used any more: a newer version" in (log.status()[0].error or "")
            )
            if count == 3:
                assert await log.append("y", timeout=20) == 1
                world.things(2).append(b'paxos/1 {"kind":"Sermon"}')
                with pytest.raises(Mismatch, match="too few services are left"):
                    await log.append("z", timeout=20)
                raise Mismatch("as it should be")

    with pytest.raises(Mismatch):  # told by `status`, as there is no other service
        run()


@pytest.mark.parametrize("count", [1, 3])
def test_a_rewritten_entry_is_refused_loudly_and_for_good(world, count, caplog):
    @live
    async def run():
        async with paxos.open(*world.urls(count), name="ann") as log:
            await log.append("x", timeout=20)
            await log.read(20)
            true = world.things(1)[-1]
            world.things(1)[-1] = wire.pack(Written("eve", 0, Command("eve", 0, "mine"), "car"))
            if count == 1:
                with pytest.raises(Mismatch, match="what was read before has changed"):
                    await log.read(20)
                with pytest.raises(Mismatch, match="what was read before has changed"):
                    await log.append("y", timeout=20)
                return
            await until(lambda: log.live.places[0].refused)
            errors = [one for one in caplog.records if one.levelno >= logging.ERROR]
            assert [one.getMessage() for one in errors] == [
                "memory:odd1 is not used any more: what was read before has changed"
            ]
            assert errors[0].service == "memory:odd1" and errors[0].name == "paxos"
            world.things(1)[-1] = true
            world[2].down = True
            with pytest.raises(Undecided, match="not used any more"):
                await log.append("y", timeout=0.3)
            world[2].down = False
            assert await log.append("z", timeout=20) == 2

    run()


def test_a_list_that_is_emptied_while_it_is_used_is_out_of_reach(world, caplog):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:
            await log.append("x", timeout=20)
            await log.read(20)
            world.things(2).clear()
            await until(lambda: log.status()[1].up is False)
            assert "and has fewer: an old copy, or emptied" in log.status()[1].error
            assert await log.append("y", timeout=20) == 1

    run()
