"""The public door: what a program asks of a log, and what it gets while services fail."""

import asyncio
import gc
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings

import pytest
from odd_lists import live, settle, until

import paxos
from paxos import Mismatch, ServiceError, Undecided
from paxos.drivers import wire
from paxos.protocol.events import Timeout
from paxos.protocol.lists import Entry as Written
from paxos.protocol.messages import Command
from paxos.trace import Header, Step

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


# Blocking.


def test_a_script_needs_no_async(tmp_path):
    before = threading.active_count()
    urls = [f"file://{tmp_path}/a", f"sqlite://{tmp_path}/b.db", f"file://{tmp_path}/c"]
    with paxos.open(*urls, name="ann") as log:
        assert [log.append(b"x"), log.append("y", timeout=20)] == [0, 1]
        assert texts(log.read()) == ["x", "y"]
        for one in log:
            if one.index == 1:
                break
        assert [one.up for one in log.status()] == [True] * 3
        with pytest.raises(TypeError):
            log.append(3)
    with pytest.raises(RuntimeError, match="the log is closed"):
        log.append("z")
    with pytest.raises(ServiceError), paxos.open("gopher:x", name="ann"):
        pass
    gc.collect()
    settle(before)


def test_a_script_may_block_inside_a_running_loop(world):
    @live
    async def run():
        with paxos.open(*world.urls(), name="ann") as log:
            assert log.append("x", timeout=20) == 0
            with paxos.open(*world.urls(), name="ben") as other:
                assert texts(other.read()) == ["x"]

    run()


def test_threads_may_share_a_log(world):
    with paxos.open(*world.urls(), name="ann") as log:
        work = [threading.Thread(target=log.append, args=(f"{n}",)) for n in range(8)]
        for one in work:
            one.start()
        for one in work:
            one.join()
        assert sorted(texts(log.read())) == list("01234567")


SCRIPT = """
import signal, sys, threading, paxos
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with paxos.open(*sys.argv[1:], name="ann") as log:
        log.append("x")
        print("ready", flush=True)
        for one in log:
            pass
except KeyboardInterrupt:
    left = [one for one in threading.enumerate() if one is not threading.main_thread()]
    for one in left:
        one.join(5)
    print("stopped", [one.name for one in threading.enumerate()])
"""


def test_a_script_is_stopped_by_ctrl_c(tmp_path):
    urls = [f"file://{tmp_path}/{n}" for n in range(3)]
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT, *urls]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as script:
        assert script.stdout.readline() == "ready\n"
        script.send_signal(signal.SIGINT)
        out, err = script.communicate(timeout=50)
    assert (out, err, script.returncode) == ("stopped ['MainThread']\n", "", 0)


def test_an_opening_that_is_stopped_leaves_nothing(world):
    @live
    async def run():
        world[2].delay = 1000.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), paxos.open(*world.urls(), name="ann"):
                pass

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run()


# Clients racing.


@pytest.mark.parametrize("kind", ["memory", "file", "sqlite", "mixed"])
def test_clients_that_race_end_with_one_log(world, tmp_path, kind):
    each = 10
    urls = {
        "memory": world.urls(),
        "file": [f"file://{tmp_path}/{n}" for n in range(3)],
        "sqlite": [f"sqlite://{tmp_path}/{n}.db" for n in range(3)],
        "mixed": [f"file://{tmp_path}/f", f"sqlite://{tmp_path}/s.db", "memory:odd1"],
    }[kind]

    @live
    async def run():
        async def work(name):
            order = random.Random(name).sample(urls, 3)
            async with paxos.open(*order, name=name) as log:
                places = [await log.append(f"{name} {n}", timeout=50) for n in range(each)]
                entries = await log.read(20)
                assert [entries[n].text for n in places] == [f"{name} {n}" for n in range(each)]

        await asyncio.gather(*(work(name) for name in ("ann", "ben", "cleo")))
        async with paxos.open(*urls, name="dan") as log:
            entries = texts(await log.read(20))
        assert len(entries) == len(set(entries)) == 3 * each

    run()


# Traces.


def test_a_trace_is_written_before_anything_is_done(world, tmp_path):
    path, told = tmp_path / "ann.ndjson", []

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann", trace=path) as log:
            write = log.live.record
            log.live.record = lambda one: (told.append(one), write(one))
            await log.append("é\0", timeout=20)
            await log.append(b"\xff", timeout=20)
        with pytest.raises(FileExistsError, match="a trace wants a new file"):
            async with paxos.open(*world.urls(), name="ann", trace=path):
                pass

    run()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert '"Header"' in lines[0] and '"passive-log"' in lines[0] and '"Open"' in lines[1]
    steps = [one for one in told if isinstance(one, Step)]
    sent = {one.id for step in steps for one in step.sent}
    assert len(lines) > len(steps) and {one.received for one in steps[1:]} - {None} <= {
        *sent, *range(1, min(sent))
    }  # fmt: skip
    assert not any(isinstance(one, Header) for one in told)
    times = [one.at for one in steps]
    assert times == sorted(times) and all(one.state is None for one in steps)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
def test_a_client_that_cannot_write_its_trace_stops(world, tmp_path):
    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann") as log:

            def full(_):
                raise OSError("no space left")

            log.live.record = full
            with pytest.raises(OSError, match="no space left"):
                await log.append("x", timeout=20)

    run()
