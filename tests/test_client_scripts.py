"""The public door again: scripts that block, clients that race, traces of what they do."""

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import warnings

import pytest
from odd_lists import live, settle

import paxos
from paxos import ServiceError
from paxos.trace import Header, Step


def texts(entries):
    return [one.text for one in entries]


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
