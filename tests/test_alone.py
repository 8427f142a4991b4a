"""One list alone: the list is the log, and its client needs no votes."""

from dataclasses import replace

import pytest
from worlds import told

from paxos.drivers.simulator import simulate
from paxos.mistakes import wrong
from paxos.mutations import load
from paxos.outcome import broken, final
from paxos.protocol.alone import Alone, Entered, enter, step
from paxos.protocol.ballot import NO_BALLOT, Ballot
from paxos.protocol.events import Answer, Decide, Propose, Send, Timeout, Wait
from paxos.protocol.lists import alone
from paxos.protocol.machine import commands
from paxos.protocol.messages import Accepted, Chosen, Command, InSlot
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorum import majority
from paxos.trace import loads

ANN = Alone(Proposer("ann", majority(1)))
X, Y, Z = Command("ann", 0, "x"), Command("ann", 1, "y"), Command("ben", 0, "z")
WAIT = Wait("answers", Ballot(1, "ann"))
STORM = {"loss": 0.15, "duplicate": 0.15, "crash": 0.03, "partition": 0.05, "outages": 0.05}
BAD = {"lost_appends": 0.1, "stale_reads": 0.15, "jitter": 0.9, "learners": 0, "until": 150}


def heard(slot, *batch):
    return Answer("s1", InSlot(slot, Chosen(NO_BALLOT, batch)))


def after(*events, me=ANN):
    for event in events:
        me, effects = step(me, event)
    return me, effects


# The rules.


def test_a_wish_becomes_a_command_of_its_own_and_is_appended():
    me, effects = after(Propose("x"))
    assert (me.pending, me.count, me.busy) == ((X,), 1, True)
    assert effects == (Send("acceptors", X), WAIT)
    again, effects = after(Propose("y"), me=me)
    assert (again.pending, effects) == ((X, Y), (Send("acceptors", Y), WAIT))


def test_equal_wishes_stay_two_entries():
    me, _ = after(Propose("x"), Propose("x"))
    assert me.pending == (X, replace(X, number=1))


def test_what_stands_in_the_next_slot_is_decided_there():
    me, effects = after(heard(0, Z))
    assert (me.log, me.busy) == (((Z,),), False)
    assert effects == (Decide(NO_BALLOT, InSlot(0, (Z,))),)


def test_who_still_waits_for_its_own_goes_on_waiting_and_then_stops():
    me, effects = after(Propose("x"), heard(0, Z))
    assert me.pending == (X,) and effects[1:] == (WAIT,)
    me, effects = after(heard(1, X), me=me)
    assert (me.log, me.pending) == (((Z,), (X,)), ())
    assert effects == (Decide(NO_BALLOT, InSlot(1, (X,))),)


@pytest.mark.parametrize("slot", [0, 2, 7])
def test_what_stands_elsewhere_is_known_or_comes_too_early(slot):
    me, _ = after(heard(0, Z))
    assert step(me, heard(slot, X)) == ((me, ()) if slot != 1 else None)


def test_an_answer_of_another_kind_is_none():
    for odd in (Answer("s1", Chosen(NO_BALLOT, (X,))), Answer("s1", Accepted(NO_BALLOT, "x"))):
        assert step(ANN, odd) == (ANN, ())


def test_patience_ends_and_all_that_is_not_seen_is_appended_again():
    me, _ = after(Propose("x"), Propose("y"))
    assert step(me, Timeout(me.ballot)) == (
        me,
        (Send("acceptors", X), Send("acceptors", Y), WAIT),
    )
    me, _ = after(heard(0, X), me=me)
    assert step(me, Timeout(me.ballot))[1] == (Send("acceptors", Y), WAIT)
    assert step(ANN, Timeout(ANN.ballot)) == (ANN, ())


def test_an_entry_is_decided_where_it_stands():
    mine, said = enter(Entered(), X)
    assert (mine, said) == (Entered(1), [InSlot(0, Chosen(NO_BALLOT, (X,)))])
    assert enter(mine, Y)[1] == [InSlot(1, Chosen(NO_BALLOT, (Y,)))]
    assert mine.promised == NO_BALLOT, "a list that is a log promises nothing"


# Whole runs.


def logs(run):
    """What each client holds at the end."""
    return {name: its.member.log for name, its in final(run).items() if hasattr(its, "member")}


def wrong_in(run):
    """What is wrong with the log of a run: every log is the beginning of what stands in the list."""
    stands = alone(final(run)["s1"].things)
    found = broken(run)
    for name, log in logs(run).items():
        flat = tuple(one for batch in log for one in batch)
        if flat != stands[: len(flat)]:
            found.append(f"{name} reads another log")
        if len({(one.client, one.number) for one in flat}) < len(commands(log)):
            found.append(f"{name} has two wishes under one number")
    return found


@pytest.mark.parametrize("told_where", [False, True], ids=["plain", "told"])
@pytest.mark.parametrize("seeds", [range(150), range(150, 300)])
def test_one_list_is_one_log_whatever_happens(seeds, told_where):
    decided, all_of_it = 0, 0
    for seed in seeds:
        run = simulate(protocol="one-list", seed=seed, told=told_where, **STORM, **BAD)
        assert wrong_in(run) == [], seed
        decided += bool(told(run))
        all_of_it += all(len(log) >= 3 for log in logs(run).values())
    assert decided >= 0.99 * len(seeds)
    assert all_of_it >= 0.75 * len(seeds)


def test_a_log_in_many_lists_whose_services_tell_where_they_appended():
    decided = 0
    for seed in range(300):
        run = simulate(protocol="passive-log", seed=seed, told=True, proposers=2, **STORM, **BAD)
        assert broken(run) == [], seed
        decided += bool(told(run))
    assert decided >= 285


@pytest.mark.parametrize("protocol", ["one-list", "passive-log"])
def test_who_is_told_where_its_entry_stands_need_not_fetch(protocol):
    def asked(told_where):
        wishes = [(4 + 20 * n, "ann", f"{n}") for n in range(5)]
        run = simulate(
            protocol=protocol, proposers=1, learners=0, jitter=0, told=told_where, wishes=wishes
        )
        assert len(logs(run)["ann"]) == 5
        return sum(type(one.message).__name__ == "Fetch" for s in run.steps() for one in s.sent)

    assert asked(True) <= asked(False) - 5


# What dies without a rule.

READ, STEP = "protocol.lists:read", "protocol.alone:step"
MISTAKES = {
    "repeats not dropped": (
        READ,
        ("case Entry(author, number) if (author, number) in ids:", "case Entry() if False:"),
        "another log",
    ),
    "two commands under one number": (
        STEP,
        ("count=me.count + 1)", "count=me.count)"),
        "two wishes",
    ),
    "a lost command that is not appended again": (
        STEP,
        ("case Timeout() if me.pending:", "case Timeout() if False:"),
        "never",
    ),
}


def found_without(rule, change):
    """All that goes wrong in forty runs, and how many wishes nobody got."""
    package = load(wrong(f"{rule} {change[1]}", rule, change, dies=None, why=""))
    simulated = package("drivers.simulator").simulate
    wishes = [(n, who, f"{who} {n}") for n in range(3) for who in ("ann", "ben")]
    found, waiting = list[str](), 0
    for seed in range(40):
        storm = {**STORM, **BAD, "until": 600, "seed": seed, "wishes": wishes}
        run = loads(package("trace").dumps(simulated(protocol="one-list", **storm)))
        found += wrong_in(run)
        waiting += sum(its.member.busy for its in final(run).values() if hasattr(its, "member"))
    return found, waiting


@pytest.mark.parametrize("name", MISTAKES)
def test_these_tests_would_notice(name):
    rule, change, dies = MISTAKES[name]
    found, waiting = found_without(rule, change)
    if dies == "never":
        assert (found, waiting > 20) == ([], True)
    else:
        assert any(dies in one for one in found)


def test_and_without_a_mistake_nothing_is_found():
    found, waiting = found_without(STEP, ("def step(", "def step("))
    assert (found, waiting) == ([], 0)
