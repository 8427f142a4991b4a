"""For real: eight processes, three kinds of service, and misfortune. And a sleeper that is overtaken."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import object_servers
import pytest
from conftest import unavailable

pytest.importorskip("httpx", reason="the client library of WebDAV is not installed")

from live_worker import acknowledged
from long_run import HERE, long_run

from paxos.client import open as open_log
from paxos.drivers.merging import merge
from paxos.outcome import broken
from paxos.trace import Crash, dumps, loads, told
from paxos.verifying import verify


def test_eight_processes_agree_through_three_services_that_come_and_go(tmp_path):
    try:
        run = long_run(tmp_path, count=125, seed=7)
    except object_servers.Missing as why:
        unavailable(str(why))
    assert len(run.log) >= 1000  # what was not acknowledged before a kill may be there too
    assert {name for name, _, _ in run.outages} == {"folder", "SQLite", "WebDAV"}
    killed = sum(killed for *_, killed in run.lives)
    assert killed >= 8, "the killing must have been in earnest"
    assert run.found.decided == len(run.log) and not run.found.unseen
    assert sum(isinstance(one, Crash) for one in run.trace.records) >= killed
    again = loads(dumps(run.trace), states=False)
    assert verify(again) == run.found


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_many_long_runs(tmp_path, seed):
    run = long_run(tmp_path, count=125, seed=seed, kills=20)
    assert run.found.decided == len(run.log)


def line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("lines", [2, 3, 6, 9, 14])
def test_a_writer_that_sleeps_in_the_middle_is_overtaken_and_wakes_to_one_log(tmp_path, lines):
    """Before its first append, between the phases, among its votes: wherever it stopped."""
    (tmp_path / "a").mkdir()
    urls = [f"file://{tmp_path}/a", f"sqlite://{tmp_path}/b.db", f"file://{tmp_path}/c"]
    asyncio.run(read(urls, tmp_path / "reader0.ndjson"))  # make it
    script = str(HERE / "live_worker.py")
    command = [sys.executable, script, "sleeper", "1", str(tmp_path), "6", "1", *urls]
    trace = tmp_path / "sleeper.1.ndjson"
    with subprocess.Popen(command) as sleeper:
        end = time.monotonic() + 30
        while line_count(trace) < lines and sleeper.poll() is None and time.monotonic() < end:
            pass  # as close as can be
        sleeper.send_signal(signal.SIGSTOP)
        asleep = line_count(trace)
        asyncio.run(append(urls, tmp_path / "other.ndjson"))
        assert line_count(trace) == asleep, "it does sleep"
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(60) == 0
    logs = [asyncio.run(read(urls, tmp_path / f"reader{number}.ndjson")) for number in (1, 2)]
    assert logs[1][: len(logs[0])] == logs[0]
    for name, count in (("sleeper", 6), ("other", 10)):
        acks = acknowledged(tmp_path, name)
        assert len(acks) == count
        assert all(logs[0][index] == text and logs[0].count(text) == 1 for index, text in acks)
    whole = merge([loads(path.read_text("utf-8")) for path in tmp_path.glob("*.ndjson")])
    found = verify(whole)
    assert found.decided == len(logs[1]) and not found.unseen
    assert not broken(told(whole))


async def append(urls, trace):
    """Ten entries of somebody else."""
    path = trace.with_suffix(".acks")
    async with open_log(*urls, name="other", trace=trace) as log:
        with path.open("w", encoding="utf-8") as acks:
            for number in range(10):
                text = f"other.{number}.1"
                acks.write(f"{await log.append(text)}\t{text}\n")


async def read(urls, trace):
    async with open_log(*urls, name="reader", trace=trace) as log:
        end, found = await log.append("the end"), []
        async for entry in log:
            found.append(entry.text)
            if entry.index == end:
                break
    return found
