"""Disk Paxos on every schedule: counts, verdicts, crashes, and the short cuts against the long way."""

import tomllib
from pathlib import Path

from paxos.drivers.checker import check
from paxos.drivers.disks import Size, disk_world

COUNTS = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))


def test_a_late_write_of_a_former_life_stops_the_ballot_below_it():
    """A client reads two empty disks, asks in 1.ann, and then its own 2.ann comes up."""
    found = check(disk_world(Size(clients=1, disks=3, rounds=2, crashes=1)))
    assert found.verdict == "safe", (found.invariant, found.run)
