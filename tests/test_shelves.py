"""Passive Paxos on every schedule: counts, verdicts, and the short cuts against the long way."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from paxos.drivers import readings, shelves
from paxos.drivers.checker import check, graph
from paxos.drivers.replay import replay
from paxos.drivers.shelves import GENESIS, NEWER, Shelf, Size, passive_world, undressed, vain
from paxos.mistakes_lists import LISTS
from paxos.mutations import bad_run, load, searched
from paxos.outcome import broken, chosen
from paxos.protocol.ballot import Ballot
from paxos.protocol.lists import Amiss, Entry, List
from paxos.protocol.messages import Entries, Prepare
from paxos.trace import Step

COUNTS = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))
DEADLY = [one.name for one in LISTS if one.dies and searched(one.name)[1].run]
OF_A_TRACE = ("agreement", "decided is chosen")


def size(count):
    return Size(**{name: n for name, n in count.items() if name in Size.__dataclass_fields__})


@pytest.mark.parametrize("count", COUNTS["passive"], ids=str)
def test_every_state_of_a_small_world_is_safe(count):
    found = check(passive_world(size(count)))
    assert (found.verdict, found.states) == ("safe", count["states"])
    assert (found.depth, found.classes) == (count["depth"], count["classes"])
    assert found.exact
    assert found.reached == {"a value can be chosen": 7}


@pytest.mark.parametrize("count", COUNTS["passive"][:2], ids=str)
def test_symmetry_changes_no_count(count):
    found = check(passive_world(size(count)), symmetry=False)
    assert (found.states, found.depth) == (count["states"], count["depth"])


# What may go wrong with a list and does no harm.


@pytest.mark.parametrize(
    "world",
    [
        Size(services=2, rounds=1, failed=1),
        Size(services=2, rounds=1, newer=1),
        Size(services=2, rounds=1, junk=1),
        Size(services=1, rounds=1, conditional=1),
        Size(clients=1, services=2, rounds=1, conditional=1, forgetful=0),
        Size(clients=3, services=1, rounds=1),
        Size(services=2, rounds=1, acks=1),
    ],
    ids=str,
)
def test_a_bad_service_costs_time_and_nothing_else(world):
    assert check(passive_world(world)).verdict == "safe"


def test_an_entry_that_stands_there_twice_makes_no_new_state():
    once, twice = (check(passive_world(Size(services=2, rounds=1, repeats=n))) for n in (0, 1))
    assert once.verdict == twice.verdict == "safe"
    assert once.states == twice.states


# The short cuts: the same states, once what is forgotten is left out of both.


def short(world, states):
    """The states without what the short cuts leave out."""
    return {
        tuple((name, shorter(world, its.state), its.said) for name, its in sorted(state.items()))
        for state in states
    }


def shorter(world, state):
    if not isinstance(state, Shelf):
        return undressed(world, state, True)
    kept = List(state.list.things[:1])
    for thing in state.list.things[1:]:
        longer = List((*kept.things, thing))
        kept = kept if vain(longer) else longer
    return kept


@pytest.mark.parametrize(
    "world",
    [
        Size(clients=1, rounds=1),
        Size(services=2, rounds=1),
        Size(clients=1, services=2, rounds=2),
        Size(services=1, rounds=1),
        Size(clients=1, services=2, rounds=1, crashes=1),
        Size(services=2, rounds=1, junk=1),
    ],
    ids=str,
)
def test_the_short_cuts_leave_no_state_out_and_add_none(world):
    states, plain = (
        graph(passive_world(replace(world, forgetful=n)), 10_000).states for n in (1, 0)
    )
    assert short(world, states) == short(world, plain)
    assert len(states) < len(plain)


def test_a_list_forgets_only_what_changes_nothing():
    first = Entry("ben", 0, Prepare(Ballot(1, "ben")))
    late = Entry("ann", 0, Prepare(Ballot(1, "ann")))
    assert not vain(List((GENESIS, first)))
    assert vain(List((GENESIS, first, late))) and vain(List((GENESIS, first, first)))
    assert not vain(List((GENESIS, first, NEWER[0])))
    assert vain(List((GENESIS, NEWER[0], first)))


# Broken rules.


@pytest.mark.parametrize(
    "mutation",
    [one for one in LISTS if {"clients", "services"} & set(one.world)],
    ids=lambda one: one.name,
)
def test_with_the_rule_the_same_world_is_safe(mutation):
    assert check(passive_world(Size(**mutation.world))).verdict == "safe"


@pytest.mark.parametrize("mutation", LISTS, ids=lambda one: one.name)
def test_without_the_rule_the_property_dies(mutation):
    _, found = searched(mutation.name)
    assert (found.verdict, found.invariant) == (
        "violated" if mutation.dies else "safe",
        mutation.dies,
    )
    assert mutation.dies != "a value can be chosen" or not found.run


@pytest.mark.parametrize("name", DEADLY)
def test_the_run_is_followed_by_the_simulator_of_that_package_and_not_by_the_rules(name):
    its, found = searched(name)
    package = load(next(one for one in LISTS if one.name == name))
    run = package("drivers.shelves").bad_run(its, found)
    assert package("drivers.replay").replay(run) == run
    trace = bad_run(name)
    assert replay(trace) != trace
    if found.invariant in OF_A_TRACE:
        assert found.invariant in broken(trace)


def test_the_service_alone_makes_no_view_change():
    """A reader of the rules as they are stops at a list that was rewritten."""
    (service,) = [one for one in LISTS if one.name == "an append that overwrites"]
    package = load(service)
    shelf = package("drivers.shelves")
    world = shelf.passive_world(shelf.Size(clients=2, services=1, rounds=1, forgetful=0))
    checker = package("drivers.checker")
    assert checker.check(world, only=["a view only grows"]).verdict == "safe"


# A run as the simulator records it.


def found(world, **never):
    """A shortest run to where something happens."""
    return check(replace(passive_world(world), always=never), only=list(never))


def test_a_run_that_was_found_is_an_ordinary_trace():
    world = Size(rounds=1)
    verdict = found(world, never=lambda record: not any(record[name] for name in ("s1", "s2")))
    trace = shelves.bad_run(world, verdict, news=True)
    assert replay(trace) == trace and not broken(trace)
    assert [type(one) for one in trace.records].count(Step) > verdict.length


def test_every_reading_has_its_fetch():
    trace = bad_run("promises on lists adopt no vote")
    read = [one for one in trace.steps() if isinstance(getattr(one.event, "message", 0), Entries)]
    sent = {one.id for step in trace.steps() for one in step.sent}
    assert read and all(step.received in sent for step in read)
    assert len(chosen(trace)) == 2


def test_a_lost_append_is_told_as_one():
    world = Size(clients=1, services=1, rounds=1, lost=1)
    plain = passive_world(world)
    lost = {"s1": lambda before, after: not after.lost}
    nodes = dict(plain.nodes)
    nodes["s1"] = replace(nodes["s1"], kept=lost)
    verdict = check(replace(plain, nodes=nodes), only=["s1"])
    trace = readings.Reading(shelves.simulated(world), verdict.run, True).run()
    assert any(isinstance(one.event, Amiss) for one in trace.steps() if one.node == "s1")
    assert replay(trace) == trace
