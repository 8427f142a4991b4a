"""Static Paxos on every schedule: counts, verdicts, and the short cuts against the long way."""

import tomllib
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from paxos.drivers.checker import check
from paxos.drivers.lamport import lamport_world
from paxos.drivers.nodes import BEYOND, rename
from paxos.drivers.replay import replay
from paxos.drivers.worlds import INVARIANTS, Life, Size, bad_run, static_world
from paxos.outcome import broken
from paxos.protocol import safety
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Accept
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorum import majority

COUNTS = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))
SMALL = [count for count in COUNTS["static"] if count["states"] < 100_000]


def size(count):
    return Size(**{name: n for name, n in count.items() if name in Size.__dataclass_fields__})


@pytest.mark.parametrize("count", COUNTS["static"], ids=str)
def test_every_state_of_a_small_world_is_safe(count):
    found = check(static_world(size(count)))
    assert (found.verdict, found.states) == ("safe", count["states"])
    assert found.depth == count["depth"]
    assert found.classes == count.get("classes", found.classes)
    assert found.exact
    assert found.reached == {"a value can be chosen": 7}


@pytest.mark.parametrize("count", SMALL, ids=str)
def test_symmetry_changes_no_count(count):
    found = check(static_world(size(count)), symmetry=False)
    assert (found.states, found.depth) == (count["states"], count["depth"])
    assert found.classes == found.states


@pytest.mark.parametrize(
    "world",
    [
        Size(1, 3, rounds=1),
        Size(2, 2, rounds=1),
        Size(1, 2, 1, rounds=2),
        Size(1, 2, crashes=1, rounds=1),
    ],
    ids=str,
)
def test_the_short_cuts_and_the_long_way_agree(world):
    short, long = (check(static_world(world), shortcuts=one) for one in (True, False))
    assert short.verdict == long.verdict == "safe"
    assert short.reached.keys() == long.reached.keys()
    assert short.states < long.states


def test_what_is_ignored_for_ever_is_not_missed():
    for world in (Size(rounds=1), Size(1, 2, rounds=2), Size(1, 2, rounds=1, crashes=1)):
        short, long = (check(static_world(replace(world, forgetful=one))) for one in (True, False))
        assert short.verdict == long.verdict == "safe"
        assert short.reached == long.reached
        assert short.states < long.states


def test_crashes_are_checked_too():
    found = check(static_world(Size(2, 2, 1, rounds=1, crashes=1)))
    assert (found.verdict, found.exact) == ("safe", True)
    assert found.states > check(static_world(Size(2, 2, 1, rounds=1))).states


def test_fewer_values_than_proposers():
    two, one = (check(static_world(Size(rounds=1, values=n))) for n in (2, 1))
    assert two.verdict == one.verdict == "safe"
    assert one.states < two.states


def test_flexible_quorums_are_checked():
    assert check(static_world(Size(rounds=1, phase1=3, phase2=1))).verdict == "safe"
    assert check(static_world(Size(rounds=1, phase1=1, phase2=3))).verdict == "safe"


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (Size(rounds=0), "Use at least 1"),
        (Size(crashes=16), "use 0 to 15"),
        (Size(values=3), "use 1 to 2"),
        (Size(acceptors=0), "at least 1"),
        (Size(phase1=1, phase2=1), "miss each other"),
    ],
    ids=str,
)
def test_a_world_that_cannot_be_is_refused(world, words):
    with pytest.raises(ValueError, match=words):
        static_world(world)


# The ground on which acceptors may change places: no rule can tell them apart.


def swapped(thing, names):
    """The thing with acceptors renamed, and what is kept in order of name in order again."""
    thing = rename(thing, names)
    match thing:
        case Life(state, saved):
            return Life(swapped(state, {}), swapped(saved, {}))
        case Proposer():
            promises = sorted(thing.promises, key=lambda one: one[0])
            return replace(thing, promises=tuple(promises), accepted=tuple(sorted(thing.accepted)))
        case Learner():
            return replace(thing, votes=tuple(sorted(thing.votes)))
    return thing


def steps(world):
    """Every (name, state, event) -> result that a search of this world calls for."""
    seen = {}

    def watched(name, node):
        def step(state, event):
            seen[name, state, event] = result = node.step(state, event)
            return result

        return replace(node, step=step)

    nodes = {name: watched(name, node) for name, node in world.nodes.items()}
    if world.alike:  # these must stay one node
        nodes |= dict.fromkeys(world.alike, nodes[world.alike[0]])
    check(replace(world, nodes=nodes))
    return {key: result for key, result in seen.items() if key[2][0] != "?"}


@pytest.mark.parametrize("world", [Size(rounds=1), Size(1, 3, 1, rounds=2)], ids=str)
def test_each_step_commutes_with_changing_the_places_of_acceptors(world):
    world = static_world(world)
    known = steps(world)
    assert len(known) > 100
    for order in permutations(world.alike):
        names = dict(zip(world.alike, order, strict=True))
        for (name, state, event), result in known.items():
            moved = world.nodes[name].step(swapped(state, names), swapped(event, names))
            if result is BEYOND:
                assert moved is BEYOND
            else:
                after, effects = swapped(result[0], names), swapped(tuple(result[1]), names)
                assert (moved[0], tuple(moved[1])) == (after, effects)


def test_each_step_of_lamports_model_commutes_with_changing_the_values():
    world = lamport_world(3, 2, 2)
    (names,) = world.renamings
    known = steps(world)
    assert len(known) > 100
    for (name, state, event), result in known.items():
        moved = world.nodes[name].step(rename(state, names), rename(event, names))
        assert moved == rename(result, names)


@pytest.mark.parametrize("world", [Size(1, 2, rounds=2), Size(2, 2, rounds=1)], ids=str)
def test_what_a_proposer_ignores_it_ignores_for_ever(world):
    """The ground of the second short cut: from whatever state a proposer is in, follow it."""
    world = static_world(replace(world, forgetful=False))
    step = world.nodes["ann"].step
    known = {key[1:]: result for key, result in steps(world).items() if key[0] == "ann"}
    after: dict = {}
    for (state, _), result in known.items():
        after.setdefault(state, set()).update({result[0]} - {state} if result is not BEYOND else ())
    ignored = [
        (state, event) for (state, event), r in known.items() if r == (state, []) and event[0]
    ]
    assert len(ignored) > 20
    for state, event in ignored:
        queue, seen = [state], {state}
        while queue:
            now = queue.pop()
            assert step(now, event) == (now, [])
            queue += (new := after.get(now, set()) - seen)
            seen |= new


# What is looked at.


def test_the_invariants_are_those_of_static_paxos():
    acceptors, ballot = ("n1", "n2"), Ballot(1, "ann")
    ann, ben = Accept(ballot, "Ann"), Accept(ballot, "Ben")
    votes = tuple((name, vote) for name in acceptors for vote in (ann, ben))
    other = Accept(Ballot(2, "ben"), "Cleo")
    found = safety.broken(safety.History(majority(3), votes=votes, decided=(other,)))
    assert set(found) == set(INVARIANTS)


def test_a_decision_stays():
    mine = Learner(majority(3), chosen=Accept(Ballot(1, "ann"), "Ann"))
    assert safety.decision_stays(mine, mine)
    assert not safety.decision_stays(mine, replace(mine, chosen=None))
    assert not safety.decision_stays(mine, Acceptor())
    assert safety.decision_stays(Learner(majority(3)), mine)
    done = Proposer("ann", majority(3), phase="done", value="Ann")
    assert safety.decision_stays(done, done)
    assert not safety.decision_stays(done, replace(done, value="Ben"))
    assert safety.decision_stays(replace(done, phase="decide"), done)


def test_a_run_that_was_found_is_an_ordinary_trace():
    world = static_world(Size(rounds=1))
    never = replace(
        world,
        always={
            "nobody has the car": lambda record: (
                not any(isinstance(one, Accept) for its in record.values() for one in its)
            )
        },
    )
    found = check(never, only=["nobody has the car"])
    trace = bad_run(Size(rounds=1), found)
    assert replay(trace) == trace
    assert broken(trace) == []
    assert len(list(trace.steps())) == len(found.run) == 6
