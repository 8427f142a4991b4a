"""The proof speaks of the code that runs: every step is an action of it, and a mutant's is none."""

import importlib
from collections import Counter
from dataclasses import replace

import pytest
import worlds
from test_mutations import MUTANTS, loaded
from worlds import A1, A2, B1, B2

from paxos.drivers.matching import matched
from paxos.drivers.simulator import simulate
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
    for run in worlds.runs():
        for record, action in matched(run):
            taken[action] += 1
            if action == "propose":
                adopted[record.state.value != record.state.wish] += 1
    assert set(taken) == ACTIONS | {"stutter"}, taken
    assert set(adopted) == {True, False}  # what was reported, and what the proposer wished


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_takes_a_step_that_is_none_before_it_does_harm(name):
    with loaded(MUTANTS[name]) as (simulator, outcome):
        module = importlib.import_module("paxos.drivers.matching")
        runs = (simulator.simulate(seed=seed, **MUTANTS[name].world) for seed in range(2000))
        run = next(run for run in runs if MUTANTS[name].breaks in outcome.broken(run))
        actions = [action for _, action in module.matched(run)]
        before = replace(run, records=run.records[: actions.index(None)])
        assert outcome.broken(before) == []


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
