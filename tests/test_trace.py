"""Traces: what is written can be read, what was damaged is refused, what is told is true."""

import json
from functools import cache
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import A1, B1, befores, happened, runs

from paxos import cli, outcome
from paxos import trace as traces
from paxos.drivers.simulator import PROTOCOLS, simulate
from paxos.figures.telling import tell
from paxos.outcome import broken, chains, chosen, cost, final, history, slots
from paxos.protocol import safety
from paxos.protocol.events import Decide
from paxos.protocol.messages import Accept, Command
from paxos.protocol.quorum import majority
from paxos.trace import TraceError, dumps, loads

chances = st.sampled_from([0.0, 0.1, 0.4])
worlds = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "protocol": st.sampled_from(sorted(PROTOCOLS)),
        "proposers": st.integers(1, 3),
        "acceptors": st.integers(1, 5),
        "learners": st.integers(0, 2),
        "loss": chances,
        "duplicate": chances,
        "crash": chances,
        "partition": chances,
        "until": st.just(40.0),
    }
).map(lambda its: its | ({"acceptors": 1} if its["protocol"] == "one-list" else {}))


# Round trip.


@given(worlds)
@settings(max_examples=60)
def test_what_is_written_can_be_read(world):
    trace = simulate(**world)
    text = dumps(trace)
    assert loads(text) == trace
    assert dumps(loads(text)) == text


@given(st.text())
def test_any_value_can_be_agreed_on_and_written(value):
    trace = simulate(proposers=1, acceptors=1, wishes=[(0, "ann", value)], until=9)
    assert loads(dumps(trace)) == trace
    assert chosen(loads(dumps(trace)))[0].proposal.value == value


def test_each_line_is_one_record_in_json():
    text = dumps(run())
    assert [json.loads(line)["kind"] for line in text.splitlines()[:2]] == ["Header", "Open"]
    assert json.loads(text.splitlines()[-1]) == {"kind": "End", "records": len(run().records)}
    assert text.count("\n") == len(run().records) + 2


def test_lines_may_end_as_on_windows():
    assert loads(dumps(run()).replace("\n", "\r\n")) == run()


@pytest.mark.parametrize("length", [1, 2, 20])
def test_a_file_that_was_cut_between_two_lines_is_no_shorter_run(length):
    with pytest.raises(TraceError, match=f"line {length}: the file was cut short"):
        loads("\n".join(lines()[:length]))


def test_a_file_that_lost_a_line_or_goes_on_after_its_end_is_refused():
    with pytest.raises(TraceError, match="records, where End counts"):
        loads("\n".join([*lines()[:-2], lines()[-1]]))
    with pytest.raises(TraceError, match="nothing may follow the End line"):
        loads("\n".join([*lines(), lines()[-1]]))


@given(worlds)
@settings(max_examples=30)
def test_every_step_can_be_folded_again(world):
    trace = loads(dumps(simulate(**world)))
    steps = PROTOCOLS[trace.header.protocol].steps
    for before, step in befores(trace):
        assert steps[trace.role(step.node)](before, step.event) == (step.state, step.effects)


# Damage.


@cache
def run():
    return simulate(seed=3, loss=0.2, crash=0.1, partition=0.2, until=40)


def lines():
    return dumps(run()).splitlines()


@cache
def rich(protocol):
    """A run in which everything happens: every kind of record, and a decision that is heard of."""
    for seed in range(100):
        one = simulate(protocol=protocol, seed=seed, crash=0.03, partition=0.3, loss=0.1, until=30)
        if is_rich(one):
            break
    return one


def is_rich(one):
    kind = PROTOCOLS[one.header.protocol]
    told = {step.node for step in one.steps() if happened(step, Decide)}
    heard = told & set(one.of(kind.listens or kind.asks))
    return heard and {type(record) for record in one.records} == set(get_args(traces.Record))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_run_that_is_damaged_has_everything_in_it(protocol):
    assert is_rich(rich(protocol))


def damaged(number, change):
    """The trace with line `number`, counted from 1, changed as JSON."""
    data = json.loads(lines()[number - 1])
    change(data)
    return "\n".join([*lines()[: number - 1], json.dumps(data), *lines()[number:]])


def line_of(kind, having=lambda data: True):
    found = (json.loads(line) for line in lines())
    return next(n for n, data in enumerate(found, 1) if data["kind"] == kind and having(data))


def put(**fields):
    return lambda data: data.update(fields)


STEP = line_of("Step", lambda data: data["received"])
LATE = line_of("Step", lambda data: data["at"] > 2000)
SENDS = line_of("Step", lambda data: data["sent"])


@pytest.mark.parametrize(
    ("number", "change", "reason"),
    [
        (1, put(version=2), "not a paxos-trace file of version 1"),
        (1, put(format="raft-trace"), "not a paxos-trace file of version 1"),
        (1, put(seed="seven"), 'Header.seed cannot be "seven"'),
        (1, put(seed=True), "Header.seed cannot be true"),
        (1, put(nodes=[["ann"]]), r"Header.nodes cannot be \[\["),
        (1, lambda data: data["nodes"].append(["zoe", "king"]), "no role is called 'king'"),
        (1, put(kind="Prelude"), "unknown kind 'Prelude': so no trace"),
        (
            1,
            put(quorums={"kind": "Flexible", "of": 3, "phase1": 0, "phase2": 2}),
            "quorums of 0 and 2 out of 3 cannot be",
        ),
        (1, put(colour="red"), "Header has missing or foreign fields: colour"),
        (1, lambda data: data.pop("faults"), "Header has missing or foreign fields: faults"),
        (2, put(kind="Prepare"), "Prepare has missing or foreign fields"),
        (2, put(at="soon"), 'Open.at cannot be "soon"'),
        (2, put(at=-1), "time runs backwards, from 0 to -1"),
        (2, put(node="zoe"), "node 'zoe' was never opened"),
        (LATE, put(at=0), "time runs backwards"),
        (STEP, put(at=0.5), "Step.at cannot be 0.5"),
        (STEP, put(received=9999), "message 9999 was never sent"),
        (STEP, put(event="hello"), "Step.event cannot be 'hello'"),
        (STEP, put(effects=["hello"]), r"Step.effects cannot be \["),
        (STEP, put(done=-1), "-1 effects done"),
        (STEP, put(done=99), "99 effects done"),
        (SENDS, lambda data: data["sent"][0].update(to="zoe"), "no node is called 'zoe'"),
        (SENDS, lambda data: data["sent"].append(data["sent"][0]), "sent twice"),
        (line_of("Lost"), put(id=9999), "message 9999 was never sent"),
        (line_of("Lost"), put(why="stolen"), 'Lost.why cannot be "stolen"'),
        (line_of("Crash"), put(node="zoe"), "node 'zoe' was never opened"),
        (line_of("Cut"), put(groups=["ann"]), "Cut.groups cannot be"),
        (line_of("Cut"), put(groups=[["zoe"], ["ann"]]), "no node is called 'zoe'"),
    ],
)
def test_a_damaged_line_is_refused_with_its_number_and_the_reason(number, change, reason):
    with pytest.raises(TraceError, match=rf"^line {number}: .*{reason}"):
        loads(damaged(number, change))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty: a trace begins with a Header line"),
        ("\n", "line 1: not JSON"),
        ("hello", r"line 1: not JSON \(Expecting value, column 1\)"),
        ("7", "line 1: not a paxos-trace file of version 1"),
        ('{"name": "left-pad"}', "line 1: unknown kind None: so no trace"),
        ("[" * 100_000, "line 1: "),
        ("1" * 10_000, "line 1: "),
    ],
    ids=["empty", "blank", "prose", "number", "other json", "too deep", "too long"],
)
def test_a_foreign_file_is_refused(text, reason):
    with pytest.raises(TraceError, match=reason):
        loads(text)


def test_a_half_written_line_is_refused():
    text = dumps(run())
    with pytest.raises(TraceError, match=rf"line {len(lines())}: not JSON"):
        loads(text[:-20])


def test_a_second_header_is_no_record():
    with pytest.raises(TraceError, match="line 2: a Header is not a record"):
        loads("\n".join([lines()[0], *lines()]))


def test_a_lost_first_line_is_noticed():
    with pytest.raises(TraceError, match="line 1 must be its Header"):
        loads("\n".join(lines()[1:]))


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats()
    | st.sampled_from(["ann", "n1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "at", "slot"]), inner, max_size=3)
    ),
    max_leaves=6,
) | st.sampled_from([json.loads(line) for line in lines()])


def places(data, path=()):
    """Every path into a JSON value."""
    yield path
    keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield from places(data[key], (*path, key))


def replaced(data, path, new):
    if not path:
        return new
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replaced(data[path[0]], path[1:], new)
    return copy


def reads_or_refuses(text):
    """Either a trace, of which everything can be asked, or a TraceError; nothing else."""
    try:
        trace = loads(text)
    except TraceError as error:
        assert str(error)
        return
    assert loads(dumps(trace)) == trace or "NaN" in text
    for ask in (slots, chosen, broken, chains, cost, outcome.logs, final):
        ask(trace)
    tell(trace)
    for view in cli.VIEWS[trace.header.protocol]:
        if view not in cli.GRAPHS:
            cli.draw(trace, view)


@given(st.data(), st.sampled_from(sorted(PROTOCOLS)))
@settings(max_examples=600, deadline=None)
def test_whatever_stands_in_a_field_the_file_is_read_or_refused(data, protocol):
    good = dumps(rich(protocol)).splitlines()
    number = data.draw(st.integers(0, len(good) - 1))
    line = json.loads(good[number])
    path = data.draw(st.sampled_from(list(places(line))))
    bad = json.dumps(replaced(line, path, data.draw(junk)))
    reads_or_refuses("\n".join([*good[:number], bad, *good[number + 1 :]]))


@given(st.data(), st.integers(0, 30), st.text(max_size=8))
@settings(max_examples=200, deadline=None)
def test_wherever_the_text_is_damaged_the_file_is_read_or_refused(data, length, new):
    text = dumps(rich("static"))
    start = data.draw(st.integers(0, len(text)))
    reads_or_refuses(text[:start] + new + text[start + length :])


# What a trace amounts to.


def test_chosen_is_the_instant_of_the_vote_that_completed_a_quorum():
    for one in runs():
        for moment in chosen(one):
            before, after = (
                history(traces.Trace(one.header, one.records[:end]))
                for end in (moment.index, moment.index + 1)
            )
            assert moment.proposal not in safety.chosen(before)
            assert moment.proposal in safety.chosen(after)


def test_a_vote_counts_from_the_moment_it_is_saved():
    trace = simulate(proposers=1, acceptors=1, jitter=0, until=30, faults=["crash n1 after save 2"])
    assert chosen(trace)[0].at == 3000
    assert not any(sent.to == "l1" for step in trace.steps() for sent in step.sent)


def test_a_quiet_run_costs_four_delays_and_a_message_each_way():
    paid = cost(simulate(proposers=1, jitter=0.0))
    assert (paid.chain, paid.time) == (4, 4.0)
    assert paid.messages == 3 + 3 + 3 + 2 * 3


def test_where_nobody_knows_of_a_decision_there_is_no_cost():
    with pytest.raises(ValueError, match="nobody heard of a decision"):
        cost(simulate(loss=1.0, until=20))


def test_a_proposer_has_a_name_for_each_of_its_lives():
    trace = simulate(proposers=1, faults=["crash ann at 0.5 for 1", "crash ann at 2 for 1"])
    assert list(trace.names.values()) == ["ann", "ann'", "ann''"]
    ballots = [b for step in trace.steps() if (b := getattr(step.event, "ballot", None))]
    assert {trace.short(ballot) for ballot in ballots} >= {"1.ann", "1.ann'"}


def test_a_ballot_of_somebody_unknown_is_shown_all_the_same():
    assert run().short(A1) == "1.ann"


@pytest.mark.parametrize("protocol", ["log", "disk-log", "passive-log"])
def test_a_wish_of_a_log_is_a_batch_of_commands(protocol):
    wished = history(simulate(protocol=protocol), slot=0).wishes
    assert {type(one) for batch in wished for one in batch} == {Command}


def test_disagreement_is_called_by_its_name():
    """A history made up of two quorums for two values, which no run of the rules makes."""
    both = (("n1", Accept(A1, "Ann")), ("n2", Accept(B1, "Ben")))
    broken_names = safety.broken(safety.History(majority(1), ("Ann", "Ben"), both))
    assert broken_names == ("agreement",)


def test_what_a_learner_forgot_is_not_counted_as_had_by_all():
    run = simulate(protocol="log", learners=2, jitter=0, faults=["crash l1 at 60 for 1"], until=70)
    assert outcome.logs(run)[-2][2] == 3, "both had it all"
    at, known, everywhere = outcome.logs(run)[-1]
    assert (at, len(known), everywhere) == (61_000, 3, 0), "the log stays, l1 is empty"
