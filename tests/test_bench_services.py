"""The benchmark of services, with tiny numbers: what must hold on any machine are counts, not times."""

import asyncio
import sys
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="the client library of WebDAV is not installed")
pytest.importorskip("obstore", reason="the client library of object stores is not installed")
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import bench_services
from peers import registers
from peers.metasync_live import MetaSync


@pytest.fixture
def folders(tmp_path):
    return [f"file://{tmp_path}/{number}" for number in range(3)]


def test_a_decision_is_one_round_trip_where_the_end_is_known(folders):
    found = asyncio.run(bench_services.decisions(folders, 20))
    assert found["trips"] <= 1.6  # a look for news may fall in between
    assert found["requests"] <= 4.8


def test_wishes_at_a_time_share_a_decision(folders):
    found = asyncio.run(bench_services.decisions(folders, 64, batch=16))
    # Four slots may be open at once, and the rest share one: 5 of 16, or more where a timer was faster.
    assert found["trips"] <= 0.7
    assert found["requests"] <= 2.1


def test_the_trips_that_count_are_those_of_a_majority():
    assert bench_services.waited([0, 0, 5], [9, 2, 6]) == 2
    assert bench_services.waited([7], [9]) == 2


def test_metasync_needs_four_and_disk_paxos_two(folders, tmp_path):
    ours = asyncio.run(bench_services.decisions(folders, 20))["trips"]
    theirs = [f"file://{tmp_path}/m/{number}" for number in range(3)]
    (tmp_path / "m").mkdir()
    metasync = asyncio.run(bench_services.metasync(theirs, 10))
    assert 3.9 < metasync["trips"] < 5.1
    assert ours <= metasync["trips"] / 2
    assert ours <= bench_services.disk_paxos(tmp_path / "d", 10)["trips"]


def test_metasync_agrees_also_with_itself(folders):
    """Three proposers want each decision. They are told the same, which one of them wanted."""

    async def race():
        told = []
        for number in range(4):
            wants = {one: f"{number} {one.name}" for one in them}
            told.append(await asyncio.gather(*(one.decide(number, wants[one]) for one in them)))
        return told

    async def all_of_it():
        for one in them:
            await one.__aenter__()
        try:
            return await race()
        finally:
            for one in them:
                await one.__aexit__()

    them = [MetaSync(folders, name) for name in ("ann", "ben", "cleo")]
    for number, values in enumerate(asyncio.run(all_of_it())):
        assert len(set(values)) == 1 and values[0].startswith(f"{number} ")


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_a_register_loses_no_write(kind, tmp_path):
    def url(name):
        return f"{kind}://{tmp_path}/{name}{'.db' * (kind == 'sqlite')}"

    assert asyncio.run(registers.rate(url("alone"), 10, 1)) == 10  # one request each
    assert asyncio.run(registers.rate(url("crowd"), 40, 4)) > 40
    last = registers.REGISTERS[kind](url("crowd"))

    async def version():
        async with last:
            await last.read()
            return last.version

    assert asyncio.run(version()) == 40


def test_several_at_once_are_measured_without_a_goal(folders, tmp_path):
    (tmp_path / "m").mkdir()
    theirs = [f"file://{tmp_path}/m/{number}" for number in range(3)]
    for found in (
        asyncio.run(bench_services.decisions(folders, 8, clients=2)),
        asyncio.run(bench_services.metasync(theirs, 8, clients=2)),
        bench_services.disk_paxos(tmp_path / "d", 8, clients=2),
    ):
        assert found["rate"] > 0
        assert found["requests"] >= 3
