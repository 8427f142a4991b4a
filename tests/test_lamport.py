"""Lamport's model in the running code has the states that others have counted."""

import tomllib
from pathlib import Path

import pytest
from oracles import paxos, voting

from paxos.drivers.checker import check
from paxos.drivers.lamport import lamport_world, whole

COUNTS = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))
each = pytest.mark.parametrize("count", COUNTS["lamport"], ids=str)


def size(count):
    return count["acceptors"], count["values"], count["ballots"]


@each
@pytest.mark.parametrize("symmetry", [True, False])
def test_the_states_are_those_that_tlc_records(count, symmetry):
    found = check(lamport_world(*size(count)), symmetry=symmetry)
    assert (found.verdict, found.states, found.depth) == ("safe", count["states"], count["depth"])
    assert sum(found.levels) == found.states
    if symmetry:
        assert found.classes == count.get("classes", found.classes) <= found.states
    else:
        assert found.classes == found.states


@pytest.mark.parametrize(
    "count",
    [
        (1, 1, 1),
        (1, 1, 3),
        (1, 2, 2),
        (2, 2, 2),
        (2, 3, 2),
        (3, 1, 2),
        (3, 3, 1),
        (4, 1, 1),
        (1, 6, 2),
    ],
)
def test_any_other_size_has_the_states_of_a_plain_enumeration(count):
    found = check(lamport_world(*count))
    assert (found.states, found.depth) == paxos.explore(*count)


@pytest.mark.parametrize("count", COUNTS["voting"], ids=str)
def test_voting_is_the_level_above(count):
    found = voting.explore(*size(count))
    assert (found["states"], found["depth"]) == (count["states"], count["depth"])
    assert found["agreement"]
    assert found["classes"] == count.get("classes", found["classes"])


def test_a_value_can_be_chosen_and_not_before_a_quorum_has_voted():
    # 1a, two promises, 2a, two votes: six messages, so the seventh depth.
    assert check(lamport_world(3, 2, 2)).reached == {"a value can be chosen": 7}


def test_the_census_counts_the_states_in_which_a_value_is_chosen():
    found = check(lamport_world(3, 2, 2), census=True)
    chosen = found.census["a value can be chosen"]
    assert len(chosen) == found.depth
    assert chosen[:6] == (0,) * 6
    assert all(0 < some <= all_ for some, all_ in zip(chosen[6:], found.levels[6:], strict=True))
    plain = check(lamport_world(3, 2, 2), census=True, symmetry=False)
    assert plain.census == found.census


def test_the_smallest_world_can_be_seen_whole():
    states, moves = whole(1, 1, 2)
    assert len(states) == 25
    assert len(moves) == 34
    assert sum(state.chosen for state in states) == 9
    for before, kind, after in moves:
        assert states[after].depth == states[before].depth + 1, kind  # each adds one message


def test_a_world_too_large_to_see_is_refused():
    with pytest.raises(ValueError, match="too many to look at"):
        whole(3, 2, 2)


@pytest.mark.parametrize("bad", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (100, 1, 1)])
def test_a_world_that_cannot_be_is_refused(bad):
    with pytest.raises(ValueError, match="use 1 to 99"):
        lamport_world(*bad)
