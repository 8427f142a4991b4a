"""A log on every schedule: verdicts, counts, and the short cuts against the long way."""

import tomllib
from pathlib import Path

import pytest

from paxos.drivers.checker import Search, check
from paxos.drivers.columns import Columns
from paxos.drivers.logs import (
    BOTH,
    COUNTS,
    GAP,
    LOGS,
    TWICE,
    Known,
    Size,
    as_chosen,
    history,
    log_world,
    once,
)
from paxos.drivers.replay import replay
from paxos.mistakes_lists import LOGS as MISTAKES
from paxos.mutations import bad_run, load, searched
from paxos.outcome import broken, final
from paxos.protocol.ballot import Ballot
from paxos.protocol.log import NOOP
from paxos.protocol.machine import commands
from paxos.protocol.messages import Accept, Command, InSlot
from paxos.protocol.quorum import majority

KNOWN = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))["log"]
DEADLY = [one for one in MISTAKES if one.dies != GAP]
names = {"ids": lambda one: one.name}


def size(count):
    return Size(**{name: n for name, n in count.items() if name in Size.__dataclass_fields__})


def nightly(count):
    return [pytest.mark.nightly] if count["classes"] > 10_000 else []


@pytest.mark.parametrize("count", [pytest.param(one, marks=nightly(one)) for one in KNOWN], ids=str)
def test_every_state_of_a_small_world_is_safe(count):
    its = size(count)
    found = check(log_world(its))
    assert (found.verdict, found.states) == ("safe", count["states"])
    assert (found.depth, found.classes) == (count["depth"], count["classes"])
    assert found.exact
    possible = {BOTH, GAP} if its.commands > 1 else {BOTH}
    assert set(found.reached) == (possible if its.proposers > 1 else set())


# The short cuts.


def records(world, shortcuts):
    """All that can ever be on record: commands, votes, what writers are told, their logs."""
    search = Search(Columns(world, False, shortcuts), None, 100_000, lambda _: None, False)
    assert search.run().verdict == "safe"
    return {tuple(search.columns.record(state).values()) for state in search.found}


@pytest.mark.parametrize(
    "world",
    [
        {"proposers": 1, "acceptors": 2},
        {"proposers": 1, "acceptors": 1, "commands": 1, "rounds": 2},
        {"proposers": 1, "acceptors": 1, "commands": 1, "crashes": 1},
        {"acceptors": 1},
    ],
    ids=str,
)
def test_the_short_cuts_change_nothing_that_is_on_record(world):
    short = records(log_world(Size(**world)), True)
    assert short == records(log_world(Size(**world, forgetful=0)), False)
    assert any(isinstance(one, Known) for record in short for its in record for one in its)


def test_symmetry_changes_no_count():
    for count in KNOWN[:2]:
        found = check(log_world(size(count)), symmetry=False)
        assert (found.states, found.depth) == (count["states"], count["depth"])


# The rules, broken.


@pytest.mark.parametrize("mutation", MISTAKES, **names)
def test_without_the_rule_the_property_dies(mutation):
    _, found = searched(mutation.name)
    assert (found.verdict, found.invariant) == ("violated", mutation.dies)
    assert bool(found.run) == (mutation in DEADLY)


@pytest.mark.parametrize("mutation", MISTAKES, **names)
def test_with_the_rule_as_many_states_of_that_world_are_safe(mutation):
    _, bad = searched(mutation.name)
    world = log_world(Size(**mutation.world))
    found = check(world, only=[mutation.dies], limit=max(bad.classes, 5000))
    assert found.verdict == "safe" or (found.verdict == "bounded" and bad.classes > 5000)


@pytest.mark.parametrize("mutation", DEADLY, **names)
def test_in_no_smaller_world_does_it_die(mutation):
    checks = load(mutation)("drivers.checker").check
    logs = load(mutation)("drivers.logs")
    usual = logs.Size(**mutation.world)
    for what in ("proposers", "rounds", "commands"):
        if (number := getattr(usual, what)) > 1:
            world = logs.log_world(logs.Size(**mutation.world | {what: number - 1}))
            if mutation.dies in world.always:
                assert checks(world, only=[mutation.dies]).verdict == "safe", what


@pytest.mark.parametrize("mutation", DEADLY, **names)
def test_the_run_is_followed_by_the_simulator_of_that_package(mutation):
    its, found = searched(mutation.name)
    package = load(mutation)
    run = package("drivers.logs").bad_run(its, found)
    assert package("drivers.replay").replay(run) == run
    trace = bad_run(mutation.name)
    if mutation.dies == COUNTS:  # the machine is at fault, and nobody who takes part
        assert replay(trace) == trace
    else:
        assert replay(trace) != trace
    if mutation.dies not in (LOGS, COUNTS, TWICE):  # of one slot, so a trace is judged by it too
        assert f"{mutation.dies} (slot 0)" in broken(trace)


def test_a_log_that_jumps_begins_with_what_is_no_beginning():
    trace = bad_run("a log that jumps over a gap")
    (entry,) = commands(final(trace)["ann"].log)
    assert entry.text == "Ann 2"
    assert history(record({}), majority(3), 0).votes == ()


# The judges.

ONE, OTHER = Command("ann", 0, "x"), Command("ann", 1, "y")
LED = Ballot(1, "ann")


def record(batches, *said):
    """What is on record where n1 and n2 have voted for these batches, by slot."""
    votes = frozenset(InSlot(slot, Accept(LED, batch)) for slot, batch in batches.items())
    return {"ann": frozenset({ONE, *said}), "n1": votes, "n2": votes}


def test_a_batch_is_a_wish_if_each_of_its_commands_is_one():
    voted = [
        InSlot(0, Accept(Ballot(n, "ann"), it)) for n, it in enumerate([(ONE,), (OTHER,), NOOP])
    ]
    seen = {"ann": frozenset({ONE}), "n1": frozenset(voted)}
    assert set(history(seen, majority(3), 0).wishes) == {(ONE,), NOOP}
    assert history(seen, majority(3), 1).votes == ()


def test_a_log_is_held_against_what_is_chosen_in_each_slot():
    chosen = {0: (ONE,), 1: NOOP}
    for entry, right in [
        ((0, (ONE,)), True),
        ((1, NOOP), True),
        ((0, NOOP), False),
        ((2, NOOP), False),
    ]:
        assert as_chosen(majority(3), record(chosen, Known(*entry))) is right


def test_a_command_in_two_slots_is_seen():
    assert once(majority(3), record({0: (ONE,), 1: NOOP, 2: (OTHER,)}))
    assert not once(majority(3), record({0: (ONE,), 2: (OTHER, ONE)}))


@pytest.mark.parametrize(
    "wrong", [{"commands": 0}, {"rounds": 0}, {"crashes": 16}, {"commands": 10}]
)
def test_a_world_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"[Uu]se (at least )?\d"):
        log_world(Size(**wrong))
