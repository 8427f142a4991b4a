"""Disk Paxos on every schedule: counts, verdicts, crashes, and the short cuts against the long way."""

import tomllib
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from worlds import A1, A2, B1

from paxos.drivers.checker import check
from paxos.drivers.disks import Life, Service, Size, bad_run, disk_world, rises, seen_by
from paxos.drivers.nodes import BEYOND, rename
from paxos.drivers.replay import replay
from paxos.outcome import broken
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.blocks import Block, Disk, answers
from paxos.protocol.events import Decide
from paxos.protocol.messages import Accept, Blocks, Chosen, Prepare

COUNTS = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))
SMALL = [count for count in COUNTS["disk"] if count["states"] < 1_000_000]
LARGE = [count for count in COUNTS["disk"] if count not in SMALL]


def size(count):
    return Size(**{name: n for name, n in count.items() if name in Size.__dataclass_fields__})


def counted(count):
    found = check(disk_world(size(count)), limit=2_000_000)
    assert (found.verdict, found.states) == ("safe", count["states"])
    assert (found.depth, found.classes, found.exact) == (count["depth"], count["classes"], True)
    assert "a value can be chosen" in found.reached


@pytest.mark.parametrize("count", SMALL, ids=str)
def test_every_state_of_a_small_world_is_safe(count):
    counted(count)


@pytest.mark.nightly
@pytest.mark.parametrize("count", LARGE, ids=str)
def test_two_rounds_on_three_disks_are_safe(count):
    """The verdict of another program on Disk Paxos with the blocks of Gafni and Lamport."""
    counted(count)


def test_symmetry_changes_no_count():
    for count in SMALL:
        if count["states"] < 25_000:
            found = check(disk_world(size(count)), symmetry=False)
            assert (found.states, found.depth) == (count["states"], count["depth"])


def test_a_late_write_of_a_former_life_stops_the_ballot_below_it():
    """A client reads two empty disks, asks in 1.ann, and then its own 2.ann comes up."""
    found = check(disk_world(Size(clients=1, disks=3, rounds=2, crashes=1)))
    assert found.verdict == "safe", (found.invariant, found.run)


@pytest.mark.parametrize(
    "world",
    [
        Size(1, 1, rounds=2),
        Size(1, 2),
        Size(1, 1, crashes=1),
        pytest.param(Size(2, 1), marks=pytest.mark.nightly),
    ],
    ids=str,
)
def test_the_short_cuts_and_the_long_way_agree(world):
    short, long = (check(disk_world(replace(world, forgetful=one))) for one in (True, False))
    assert short.verdict == long.verdict == "safe"
    assert short.reached.keys() == long.reached.keys()
    assert short.states < long.states


def test_flexible_quorums_and_fewer_values_are_checked():
    assert check(disk_world(Size(phase1=1, phase2=3))).verdict == "safe"
    two, one = (check(disk_world(Size(values=n))) for n in (2, 1))
    assert two.verdict == one.verdict == "safe"
    assert one.states < two.states


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (Size(rounds=0), "Use at least 1"),
        (Size(crashes=16), "use 0 to 15"),
        (Size(values=3), "use 1 to 2, for each comes from a client"),
        (Size(disks=0), "at least 1"),
        (Size(phase1=1, phase2=1), "miss each other"),
    ],
    ids=str,
)
def test_a_world_that_cannot_be_is_refused(world, words):
    with pytest.raises(ValueError, match=words):
        disk_world(world)


# What a disk shows.

ANN, BEN = Accept(A1, "Ann"), Accept(B1, "Ben")
BLOCKS = [
    Block(Acceptor()),
    *(Block(Acceptor(ballot, vote)) for ballot in (A1, A2) for vote in (None, ANN, BEN)),
    Block(Acceptor(A2, ANN), Chosen(A1, "Ann")),
]


@pytest.mark.parametrize("own", [Block(Acceptor(B1)), Block(Acceptor(B1, BEN))], ids=str)
@pytest.mark.parametrize("other", BLOCKS, ids=str)
def test_what_a_disk_leaves_out_makes_no_difference(own, other):
    whole = Disk((("ann", other), ("ben", own)))
    asks = own.memory.vote or Prepare(B1)
    said = answers([asks], "ben", Blocks(whole.blocks))
    shown = seen_by("ben", whole)
    if other.chosen:
        assert dict(shown.blocks)["ann"].chosen == other.chosen
    else:
        assert answers([asks], "ben", shown) == said


def test_a_block_that_goes_back_is_noticed():
    old, new = (Service(Disk((("ann", block),)), frozenset()) for block in BLOCKS[:2])
    assert rises(old, new)
    assert rises(new, new)
    assert not rises(new, old)
    assert not rises(new, Service(Disk(), frozenset()))


# The ground on which disks may change places, and on which a client forgets.


def steps(world):
    """Every (name, state, event) -> result that a search of this world calls for."""
    seen = {}

    def watched(name, node):
        def step(state, event):
            seen[name, state, event] = result = node.step(state, event)
            return result

        return replace(node, step=step)

    nodes = {name: watched(name, node) for name, node in world.nodes.items()}
    nodes |= dict.fromkeys(world.alike, nodes[world.alike[0]])
    check(replace(world, nodes=nodes))
    return seen


def swapped(thing, names):
    """The thing with disks renamed, and what is kept in order of name in order again."""
    thing = rename(thing, names)
    if isinstance(thing, Life):
        asks, knows = thing.state.member.proposer, thing.state.member.learner
        asks = replace(asks, promises=tuple(sorted(asks.promises, key=lambda one: one[0])))
        asks = replace(asks, accepted=tuple(sorted(asks.accepted)))
        member = replace(
            thing.state.member,
            proposer=asks,
            learner=replace(knows, votes=tuple(sorted(knows.votes))),
        )
        found = tuple(sorted(thing.state.found, key=lambda one: one[0]))
        return replace(thing, state=replace(thing.state, member=member, found=found))
    return thing


@pytest.mark.parametrize("size", [Size(), Size(1, 3, rounds=2, crashes=1)], ids=str)
def test_each_step_commutes_with_changing_the_places_of_disks(size):
    world = disk_world(size)
    known = steps(world)
    assert len(known) > 100
    for order in permutations(world.alike):
        names = dict(zip(world.alike, order, strict=True))
        for (name, state, event), result in list(known.items())[::7]:
            moved = world.nodes[name].step(swapped(state, names), rename(event, names))
            if result is BEYOND:
                assert moved is BEYOND
            else:
                after, effects = swapped(result[0], names), rename(tuple(result[1]), names)
                assert (moved[0], tuple(moved[1])) == (after, effects)


# What was found, as a run.


@pytest.mark.parametrize(
    "size", [Size(), Size(1, 1, forgetful=False), Size(1, 2, crashes=1)], ids=str
)
def test_a_run_that_was_found_is_an_ordinary_trace(size):
    world = disk_world(size)
    nobody = {
        "nobody is told": lambda record: (
            not any(isinstance(one, Decide) for its in record.values() for one in its)
        )
    }
    found = check(replace(world, always=nobody), only=["nobody is told"])
    trace = bad_run(size, found)
    assert replay(trace) == trace
    assert broken(trace) == []
    assert any(step.node in ("ann", "ben") and step.state.member.settled for step in trace.steps())
