"""The benchmark of services, with tiny numbers: what must hold on any machine are counts, not times."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="the client library of WebDAV is not installed")
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import asyncio

import bench_services


@pytest.fixture
def folders(tmp_path):
    return [f"file://{tmp_path}/{number}" for number in range(3)]


def test_a_decision_is_one_round_trip_where_the_end_is_known(folders):
    found = asyncio.run(bench_services.decisions(folders, 20))
    assert found["trips"] <= 1.1
    assert found["requests"] <= 3.3


def test_metasync_needs_four_and_disk_paxos_two(folders, tmp_path):
    ours = asyncio.run(bench_services.decisions(folders, 20))["trips"]
    (tmp_path / "m").mkdir()
    theirs = [f"file://{tmp_path}/m/{number}" for number in range(3)]
    metasync = asyncio.run(bench_services.metasync(theirs, 10))
    assert 3.9 < metasync["trips"] < 5.1
    assert ours <= metasync["trips"] / 2
    assert ours <= bench_services.disk_paxos(tmp_path, 10)["trips"]


def test_several_at_once_are_measured_without_a_goal(folders):
    found = asyncio.run(bench_services.decisions(folders, 8, clients=2))
    assert found["rate"] > 0
    assert found["requests"] >= 3
