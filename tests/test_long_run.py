"""For real: eight processes, three kinds of service, and misfortune. And a sleeper that is overtaken."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys

import live_worker
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
    assert run.found.decided == len(run.log) + 4 and not run.found.unseen
    assert sum(isinstance(one, Crash) for one in run.trace.records) >= killed
    again = loads(dumps(run.trace), states=False)
    assert verify(again) == run.found
    assert len(run.decided) == run.found.decided and run.decided == sorted(run.decided)
    assert all(run.requests.values()) and len(run.requests) == 3


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_many_long_runs(tmp_path, seed):
    run = long_run(tmp_path, count=125, seed=seed, kills=20)
    assert run.found.decided == len(run.log) + 4


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(5))
def test_long_runs_with_a_server_of_objects(tmp_path, seed):
    pytest.importorskip("obstore", reason="the client library of S3 is not installed")
    try:
        run = long_run(tmp_path, count=125, seed=seed, kills=20, third="S3")
    except object_servers.Missing as why:
        unavailable(str(why))
    assert run.found.decided == len(run.log) + 4


MOMENTS = [
    ("before phase 1", 1),
    ("between the phases", 1),
    ("within phase 2", 1),
    ("within phase 2", 4),
    ("within an append", 1),
    ("within an append", 6),
]


@pytest.mark.parametrize(("moment", "number"), MOMENTS)
def test_a_writer_that_sleeps_in_the_middle_is_overtaken_and_wakes_to_one_log(
    tmp_path, moment, number
):
    overtaken(tmp_path, moment, number)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(30))
def test_a_writer_that_sleeps_at_any_moment(tmp_path, seed):
    chance = random.Random(seed)
    overtaken(
        tmp_path, *chance.choice([*MOMENTS[:2], *((MOMENTS[-1][0], n) for n in range(2, 12))])
    )


def overtaken(home, moment, number):
    """Stop a writer at this moment, let another append, and wake it. Everything must be as it must."""
    (home / "a").mkdir()
    urls = [f"file://{home}/a", f"sqlite://{home}/b.db", f"file://{home}/c"]
    asyncio.run(read(urls, home / "reader0.ndjson"))  # make it
    script = str(HERE / "live_worker.py")
    command = [sys.executable, script, "sleeper", "1", str(home), "6", "1", *urls]
    trace, where = home / "sleeper.1.ndjson", {**os.environ, "SLEEP": f"{moment} {number}"}
    with subprocess.Popen(command, env=where) as sleeper:
        try:
            _, status = os.waitpid(sleeper.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), "it has not come to this moment"
            asleep = trace.read_bytes()
            fell_asleep(home, moment, number, loads(asleep.decode(), whole=False, states=False))
            asyncio.run(append(urls, home / "other.ndjson"))
            assert trace.read_bytes() == asleep, "it does sleep"
            sleeper.send_signal(signal.SIGCONT)
            assert sleeper.wait(60) == 0
        finally:
            sleeper.kill()
    logs = [asyncio.run(read(urls, home / f"reader{number}.ndjson")) for number in (1, 2)]
    assert logs[1][: len(logs[0])] == logs[0]
    for name, count in (("sleeper", 6), ("other", 10)):
        acks = acknowledged(home, name)
        assert len(acks) == count
        assert all(logs[0][index] == text and logs[0].count(text) == 1 for index, text in acks)
    others = [logs[0].index(f"other.{count}.1") for count in range(10)]
    if number == 1 and moment in ("before phase 1", "between the phases"):
        assert logs[0].index("sleeper.0.1") > others[0], "nobody could have seen its wish"
    whole = merge([loads(path.read_text("utf-8")) for path in home.glob("*.ndjson")])
    found = verify(whole)
    assert found.decided == len(logs[1]) and not found.unseen
    assert not broken(told(whole))


def fell_asleep(home, moment, number, trace):
    """Is this the moment? By what it has written down, and by what stands in the lists."""
    last = trace.records[-1]
    if moment in live_worker.MOMENTS and moment != "within an append":
        assert live_worker.MOMENTS[moment](last)
    lists = [[one.read_bytes() for one in sorted((home / at).glob("0*"))] for at in "ac"]
    # Whoever sleeps may hold the lock of the database. Then this service is away for everybody.
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(home / "b.db", timeout=0.1)) as base,
    ):
        rows = base.execute("SELECT entry FROM entries").fetchall()
        lists.append([bytes(entry) for (entry,) in rows])
    votes = [sum(b'"sleeper.' in it and b'"Accept"' in it for it in one) for one in lists]
    prepares = sum(
        b'"author":"sleeper.' in it and b'"Prepare"' in it for one in lists for it in one
    )
    drafts = [*home.glob("a/.draft-*"), *home.glob("c/.draft-*")]
    match moment:
        case "before phase 1":
            assert prepares == 0 and not any(votes)
        case "between the phases":
            assert prepares >= 1 and not any(votes)
        case "within phase 2":
            assert number - 1 <= max(votes) <= number
        case "within an append":
            assert any(b'"Accept"' in one.read_bytes() for one in drafts)


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
