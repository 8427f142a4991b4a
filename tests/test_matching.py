"""The proof speaks of the code that runs: every step is an action of it, and a mutant's is none."""

from collections import Counter
from dataclasses import replace

import pytest
import worlds
from worlds import A1, A2, B1, B2

from paxos.drivers.checker import graph
from paxos.drivers.matching import explored, matched
from paxos.drivers.simulator import quorums, simulate
from paxos.drivers.worlds import INVARIANTS, Size, simulated, static_world
from paxos.mutations import MUTATIONS, load
from paxos.proof import static
from paxos.proof.seen import Seen, recognise
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import NO_BALLOT
from paxos.protocol.messages import Accept, Promise
from paxos.protocol.quorum import Flexible, majority
from paxos.trace import Open, Trace

ACTIONS = {action.name for action in static.ACTIONS}


# Runs.


def test_every_step_of_every_run_is_an_action_and_every_action_is_taken():
    taken, adopted = Counter(), Counter()
    for run in worlds.runs()[::2]:
        for record, action in matched(run):
            taken[action] += 1
            if action == "propose":
                adopted[record.state.value != record.state.wish] += 1
    assert set(taken) == ACTIONS | {"stutter"}, taken
    assert set(adopted) == {True, False}  # what was reported, and what the proposer wished


# Every schedule of small worlds.

NIGHTLY = [pytest.mark.nightly]
WORLDS = [
    Size(2, 3, rounds=1),
    Size(2, 3, rounds=1, phase1=3, phase2=1),
    Size(1, 2, 1, rounds=1, crashes=1),
    pytest.param(Size(2, 2, rounds=1, crashes=1), marks=NIGHTLY),
    pytest.param(Size(2, 2, rounds=2), marks=NIGHTLY),
]


@pytest.mark.parametrize("size", WORLDS, ids=str)
def test_every_step_of_every_schedule_is_an_action_and_every_action_is_taken(size):
    world = graph(static_world(size), limit=20_000)
    taken = Counter(action for _, action in explored(world, quorums(simulated(size))))
    assert None not in taken
    assert set(taken) | {"leave"} == ACTIONS | {"stutter"}, taken
    assert taken["leave"] or not size.crashes


SLOW = {
    "chosen by equal value",
    "a ballot used twice",
    "two values in one ballot",
    "promises kept for the next ballot",
}
HARMFUL = [
    pytest.param(one, marks=NIGHTLY if one.name in SLOW else [], id=one.name)
    for one in MUTATIONS
    if one.dies in INVARIANTS
]


@pytest.mark.parametrize("one", HARMFUL)
def test_where_a_rule_is_broken_some_step_is_none_before_harm_is_done(one):
    module = load(one)
    worlds, matching = module("drivers.worlds"), module("drivers.matching")
    size = worlds.Size(**one.world)
    found = module("drivers.checker").check(worlds.static_world(size), only=[one.dies])
    run = worlds.bad_run(size, found, news=True)
    actions = [action for _, action in matching.matched(run)]
    before = replace(run, records=run.records[: actions.index(None)])
    assert one.dies in module("outcome").broken(run)
    assert module("outcome").broken(before) == []


def test_a_step_is_judged_by_what_came_before_it():
    """The same run without two of its votes: the decisions that counted on them are none any more."""
    run = simulate(proposers=1, acceptors=3, jitter=0)
    votes = [record for record, action in matched(run) if action == "vote"]
    rest = Trace(run.header, tuple(record for record in run.records if record not in votes[:2]))
    assert [record.node for record, action in matched(rest) if action is None] == ["ann"]


def test_a_log_has_no_proof_yet():
    with pytest.raises(ValueError, match="log"):
        next(matched(simulate(protocol="log")))


# Steps by hand: each is an action; and with one thing changed it is none.

NOBODY = frozenset((name, NO_BALLOT) for name in ("n1", "n2", "n3"))
ANN, BEN = Accept(A1, "Ann"), Accept(B2, "Ben")


def holding(**promised):
    """What the acceptors hold: these promises, and else none."""
    return frozenset((dict(NOBODY) | promised).items())


def seen(held=NOBODY, **more):
    return Seen(held, **{name: frozenset(its) for name, its in more.items()})


PREPARED = seen(asked=[(A1, "Ann")])
PROMISED = replace(
    PREPARED,
    held=holding(n1=A1, n2=A1),
    promises=frozenset((who, Promise(A1, None)) for who in ("n1", "n2")),
)
PROPOSED = replace(PROMISED, proposed=frozenset([ANN]))
VOTED = replace(PROPOSED, votes=frozenset([("n1", ANN), ("n2", ANN)]))
AGAIN = replace(VOTED, asked=VOTED.asked | {(B2, "Ben")})
REPORTS = [("n2", Promise(B2, ANN)), ("n3", Promise(B2, None))]
CLOSED = replace(AGAIN, held=holding(n1=A1, n2=B2, n3=B2), promises=AGAIN.promises | {*REPORTS})


def plus(before, held=None, **more):
    """What was seen before, and more."""
    grown = {name: getattr(before, name) | {its} for name, its in more.items()}
    return replace(before, **grown, held=held or before.held)


STEPS = {
    "nothing": (PREPARED, PREPARED, "stutter"),
    "prepare": (seen(), PREPARED, "prepare"),
    "prepare no ballot": (seen(), seen(asked=[(NO_BALLOT, "Ann")]), None),
    "prepare two at once": (seen(), seen(asked=[(A1, "Ann"), (B1, "Ben")]), None),
    "prepare again for the same wish": (VOTED, plus(VOTED, asked=(A2, "Ann")), "prepare"),
    "leave": (PREPARED, replace(PREPARED, held=holding(n1=A1)), "leave"),
    "leave for a ballot of nobody": (PREPARED, replace(PREPARED, held=holding(n1=B1)), None),
    "go back": (PROMISED, replace(PROMISED, held=holding(n1=A1)), None),
    "promise": (AGAIN, plus(AGAIN, holding(n1=A1, n2=B2), promises=REPORTS[0]), "promise"),
    "promise without saving it": (AGAIN, plus(AGAIN, promises=REPORTS[0]), None),
    "promise and hide the vote": (
        AGAIN,
        plus(AGAIN, holding(n1=A1, n2=B2), promises=("n2", Promise(B2, None))),
        None,
    ),
    "promise and invent a vote": (
        AGAIN,
        plus(AGAIN, holding(n1=A1, n2=B2), promises=("n2", Promise(B2, Accept(A1, "Ben")))),
        None,
    ),
    "promise what nobody asked": (
        VOTED,
        plus(VOTED, holding(n1=A1, n2=B2), promises=REPORTS[0]),
        None,
    ),
    "propose the own wish": (PROMISED, PROPOSED, "propose"),
    "propose what nobody wants": (PROMISED, plus(PROMISED, proposed=Accept(A1, "Eve")), None),
    "propose with one promise": (
        replace(PROMISED, promises=frozenset([("n1", Promise(A1, None))])),
        replace(PROPOSED, promises=frozenset([("n1", Promise(A1, None))])),
        None,
    ),
    "propose twice": (PROPOSED, plus(PROPOSED, proposed=Accept(A1, "Ben")), None),
    "propose the reported value": (CLOSED, plus(CLOSED, proposed=Accept(B2, "Ann")), "propose"),
    "propose the own wish instead": (CLOSED, plus(CLOSED, proposed=BEN), None),
    "vote": (VOTED, plus(VOTED, holding(n1=A1, n2=A1, n3=A1), votes=("n3", ANN)), "vote"),
    "vote without raising the promise": (VOTED, plus(VOTED, votes=("n3", ANN)), None),
    "vote after leaving": (CLOSED, plus(CLOSED, votes=("n3", ANN)), None),
    "vote for what was not asked": (PROMISED, plus(PROMISED, votes=("n1", ANN)), None),
    "tell of a vote": (VOTED, plus(VOTED, told=("n1", ANN)), "stutter"),
    "tell of a vote that is not saved": (PROPOSED, plus(PROPOSED, told=("n1", ANN)), None),
    "decide": (VOTED, plus(VOTED, decided=ANN), "decide"),
    "decide with one vote": (
        plus(PROPOSED, votes=("n1", ANN)),
        plus(PROPOSED, votes=("n1", ANN), decided=ANN),
        None,
    ),
    "take a vote back": (VOTED, PROPOSED, None),
    "take a message back": (PREPARED, seen(), None),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_by_hand(name):
    before, after, action = STEPS[name]
    assert recognise(before, after, majority(3)) == action


def test_a_run_that_begins_with_a_promise_is_none():
    """Induction starts where nothing has happened."""
    run = simulate(proposers=1)
    late = Trace(run.header, (Open(0, "n1", Acceptor(A1)), *run.records))
    assert next(action for _, action in matched(late)) is None
    assert next(action for _, action in matched(run)) == "stutter"


def test_other_quorums_are_other_quorums():
    before, after = PROMISED, PROPOSED
    assert recognise(before, after, Flexible(3, 2, 2)) == "propose"
    assert recognise(before, after, Flexible(3, 3, 1)) is None
    only = replace(VOTED, votes=frozenset([("n1", ANN)]))
    assert recognise(only, plus(only, decided=ANN), Flexible(3, 3, 1)) == "decide"


def test_quorums_that_can_miss_each_other_are_refused():
    apart = Flexible(3, 2, 2)
    object.__setattr__(apart, "phase1", 1)
    assert recognise(PROMISED, PROPOSED, apart) is None
