"""The same decision against three memories: what the figure says is what the runs say."""

import re
import xml.etree.ElementTree as ET

import pytest

from paxos.drivers.simulator import simulate
from paxos.figures import threefold
from paxos.outcome import cost

SVG = "{http://www.w3.org/2000/svg}"
ALONE = {"proposers": 1, "learners": 0, "jitter": 0, "wishes": [(4, "ann", "Ann")]}
THREE = ["static", "disk", "passive"]


def runs(*protocols, **world):
    return [simulate(protocol=name, **ALONE | world) for name in protocols]


def test_the_round_trips_of_the_three_memories():
    static, disk, passive = (threefold.side(run) for run in runs(*THREE))
    assert (static.trips, disk.trips, passive.trips) == (2, 4, 4)
    (known,) = (threefold.side(run) for run in runs("passive", conditional=True))
    assert known.trips == 2 and known.says != passive.says


@pytest.mark.parametrize("protocol", THREE)
def test_round_trips_on_the_clock_are_those_of_the_chain_and_begin_with_the_wish(protocol):
    (run,) = runs(protocol)
    one, paid = threefold.side(run), cost(run)
    assert one.end == one.trips == (paid.time - 4) / 2
    assert len(one.legs) == 6 * one.trips  # three questions and three answers in each


def test_only_the_memory_differs():
    """The client's steps that matter are the same, and come in the same order."""
    told = []
    for run in runs(*THREE):
        its = threefold.firsts(threefold.side(run))
        told.append([leg.kind for leg in its if leg.kind != "plain"])
    assert told == [["prepare", "promise", "accept", "accepted"]] * 3


@pytest.mark.parametrize("memories", [1, 3, 5, 7])
@pytest.mark.parametrize("jitter", [0, 0.5])
def test_it_can_be_read_with_any_number_of_memories(memories, jitter):
    for seed in range(5):
        figure = threefold.draw(*runs(*THREE, acceptors=memories, jitter=jitter, seed=seed))
        assert figure.faults == ()
        root = ET.fromstring(figure.svg)
        assert f"one proposer and {memories} memories" in root.findtext(SVG + "desc")


def test_the_counts_are_written_beside_the_pictures():
    figure = threefold.draw(*runs(*THREE), *runs("passive", conditional=True))
    assert re.findall(r">(\d+) round trips<", figure.svg) == ["2", "4", "4", "2"]
    assert re.findall(r">(\d+) messages<", figure.svg) == ["12", "24", "24", "12"]


def test_another_decision_is_not_the_same_one():
    other = runs("disk", wishes=[(4, "ann", "Ben")])
    with pytest.raises(ValueError, match="not the same decision: Ann, Ben"):
        threefold.draw(*runs("static"), *other)


def test_a_run_in_which_nobody_is_told_cannot_be_drawn():
    with pytest.raises(ValueError, match="nothing was chosen"):
        threefold.side(*runs("disk", until=5))
    with pytest.raises(ValueError, match="nobody is told"):
        threefold.side(*runs("disk", until=10))
