"""A schedule from outside: any run can be followed again, and told apart from another rule's."""

from dataclasses import replace

import pytest

from paxos.drivers.checker import Move
from paxos.drivers.replay import in_order, replay, staged
from paxos.drivers.simulator import PROTOCOLS, World, simulate
from paxos.protocol.events import Propose, Send
from paxos.protocol.lists import Amiss
from paxos.protocol.messages import Accepted, Promise, Refused
from paxos.protocol.quorum import Flexible
from paxos.trace import Step, Trace, dumps, loads

STORM = {"loss": 0.2, "duplicate": 0.2, "crash": 0.1, "partition": 0.2}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", range(20))
def test_a_run_follows_from_its_schedule(protocol, seed):
    lists = {"lost_appends": 0.1, "stale_reads": 0.1, "conditional": seed % 2 == 1}
    bad = lists | {"told": seed % 3 == 1} if PROTOCOLS[protocol].remembers == "list" else {}
    trace = simulate(seed=seed, protocol=protocol, outages=0.1, **STORM, **bad)
    assert replay(trace) == trace


def test_the_schedule_says_how_a_list_served_badly():
    trace = simulate(protocol="passive", seed=3, lost_appends=0.2, stale_reads=0.2)
    assert [step for step in trace.steps() if isinstance(step.event, Amiss)]
    assert replay(trace) == trace


def test_the_schedule_says_what_else_landed_in_a_list():
    trace = simulate(protocol="passive", faults=["junk s1 at 4", "poison s2 at 3"])
    landed = [step for step in trace.steps() if step.received is None and step.node in ("s1", "s2")]
    assert [step.node for step in landed] == ["s2", "s1"]
    assert replay(trace) == trace


def test_an_empty_run_is_followed_too():
    trace = simulate(until=0, wishes=())
    assert replay(Trace(trace.header)) == Trace(trace.header)


def altered(trace, change):
    """The trace with one step changed."""
    records = list(trace.records)
    number = next(n for n, one in enumerate(records) if isinstance(one, Step) and change(one))
    records[number] = replace(records[number], effects=(), done=0, sent=())
    return Trace(trace.header, tuple(records)), number


def test_where_the_rules_would_have_acted_otherwise_the_following_stops():
    trace, number = altered(simulate(), lambda step: step.node == "n2")
    again = replay(trace)
    assert len(again.records) == number + 1
    assert again.records[:-1] == trace.records[:number]
    assert again.records[-1] != trace.records[number]
    (send,) = [one for one in again.records[-1].effects if isinstance(one, Send)]
    assert isinstance(send.message, Promise | Refused | Accepted)


def test_a_world_that_the_rules_refuse_can_be_read_but_not_followed():
    trace = simulate()
    apart = object.__new__(Flexible)
    for name, number in (("of", 3), ("phase1", 1), ("phase2", 2)):
        object.__setattr__(apart, name, number)
    odd = Trace(replace(trace.header, quorums=apart), trace.records)
    assert loads(dumps(odd)) == odd
    with pytest.raises(ValueError, match="can miss each other"):
        replay(odd)


MOVES = [
    Move("ann", ("", Propose("Ann"))),
    Move("ben", ("", Propose("Ben"))),
]


def test_moves_are_told_one_ballot_at_a_time():
    world = World(proposers=2, learners=0)
    first = staged(world, MOVES)
    prepares = {step.node: step.sent[0].message for step in first.steps()}
    mixed = [*MOVES]
    for name in ("n1", "n2"):
        mixed += [Move(name, ("ann", prepares["ann"])), Move(name, ("ben", prepares["ben"]))]
    told = in_order(world, mixed)
    assert sorted(told, key=repr) == sorted(mixed, key=repr)
    assert [move.node for move in told if move.node[0] == "n"] == ["n1", "n2", "n1", "n2"]
    assert told[0].node == "ann"
    assert told[1].event[1] == prepares["ann"]
    trace = staged(world, mixed)
    assert replay(trace) == trace
    times = [record.at for record in trace.records]
    assert times == sorted(times)


def test_what_was_never_sent_cannot_arrive():
    world = World(proposers=1, learners=0)
    with pytest.raises(ValueError, match="n1 cannot receive what ann never sent"):
        staged(world, [Move("n1", ("ann", Propose("Ann")))])


def test_a_node_that_crashes_comes_back():
    trace = staged(World(proposers=1, learners=0), [MOVES[0], Move("ann", None, 0), MOVES[0]])
    again = [step.state.ballot for step in trace.steps()]
    assert [ballot.proposer for ballot in again] == ["ann", "ann'"]
    assert replay(trace) == trace
