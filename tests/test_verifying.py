"""Is it a run? Every run of the simulator is; and whatever is altered in one is found."""

from dataclasses import replace

import pytest
from stripped import stripped
from worlds import runs

from paxos import verifying
from paxos.cli import main
from paxos.drivers.merging import merge
from paxos.drivers.simulator import PROTOCOLS, simulate
from paxos.mutations import bad_run
from paxos.outcome import broken
from paxos.protocol.ballot import Ballot
from paxos.protocol.events import Answer, Decide, Propose, Save, Send, Timeout, Wait
from paxos.protocol.lists import Amiss, Entry
from paxos.protocol.messages import Append, Appended, Entries
from paxos.trace import Crash, Lost, Open, Step, Trace, dumps, told
from paxos.verifying import NotARun, verify

FAULTS = {"loss": 0.1, "duplicate": 0.1, "crash": 0.03, "outages": 0.05}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_run_of_the_simulator_is_a_run(protocol):
    for run in runs(protocol)[::6]:
        found = verify(run)
        assert found.records == len(run.records) and not found.unseen
        assert broken(run) == []


def test_what_was_found_is_said_in_a_line():
    assert str(verify(simulate())) == (
        "75 records, 3 proposers, 3 acceptors, 1 learner, 1 decided entry"
    )
    litter = simulate(protocol="passive-log", faults=["junk s1 at 3"])
    assert "3 decided entries, 1 append by others" in str(verify(litter))


# A run, and what may be wrong with it.


def whole():
    """A run on lists in which a client comes back, as the simulator records it."""
    return simulate(
        protocol="passive-log", told=True, seed=4, stale_reads=0.1, faults=["crash ann at 20 for 9"]
    )


def first(run, fits):
    return next(number for number, one in enumerate(run.records) if fits(one))


def changed(run, number, **changes):
    records = list(run.records)
    records[number] = replace(records[number], **changes)
    return Trace(run.header, tuple(records))


def without(run, number):
    return Trace(run.header, (*run.records[:number], *run.records[number + 1 :]))


def step(kind, fits=lambda one: True):
    return lambda one: isinstance(one, Step) and isinstance(one.event, kind) and fits(one)


def says(kind):
    return lambda one: isinstance(one, Step) and any(isinstance(it, kind) for it in one.effects)


def an_effect_is_missing(run):
    number = first(run, says(Decide))
    effects = tuple(one for one in run.records[number].effects if not isinstance(one, Decide))
    return changed(run, number, effects=effects, done=len(effects))


def an_effect_too_many(run):
    number = first(run, step(Append))
    effects = (*run.records[number].effects, Wait("news", Ballot(1, "x")))
    return changed(run, number, effects=effects, done=len(effects))


def another_value_is_decided(run):
    number = first(run, says(Decide))
    mine = run.records[number].effects
    other = [
        replace(one, value=replace(one.value, content=())) if isinstance(one, Decide) else one
        for one in mine
    ]
    return changed(run, number, effects=tuple(other))


def another_state(run):
    number = first(run, step(Answer))
    state = run.records[number].state
    return changed(run, number, state=replace(state, sent=state.sent + 1))


def something_else_is_sent(run):
    number = first(run, lambda one: isinstance(one, Step) and len(one.sent) > 1)
    sent = run.records[number].sent
    return changed(run, number, sent=(sent[0], replace(sent[1], to="s3"), *sent[2:])[::-1])


def a_message_is_not_sent(run):
    number = first(run, lambda one: isinstance(one, Step) and len(one.sent) > 1)
    return changed(run, number, sent=run.records[number].sent[1:])


def something_else_is_heard(run):
    number = first(run, step(Answer, lambda one: isinstance(one.event.message, Entries)))
    event = run.records[number].event
    other = replace(event.message, entries=(*event.message.entries, Entry("zoe", 0, "x")))
    return changed(run, number, event=replace(event, message=other))


def an_answer_from_nobody(run):
    return changed(run, first(run, step(Answer)), received=None)


def an_answer_for_somebody_else(run):
    number = first(run, lambda one: step(Answer)(one) and one.node == "ann")
    other = first(run, lambda one: step(Answer)(one) and one.node == "ben")
    return changed(run, number, received=run.records[other].received)


def an_entry_is_lost(run):
    """The list goes on as if it had never been appended."""
    return without(run, first(run, step(Append)))


def a_list_in_another_order(run):
    at = [n for n, one in enumerate(run.records) if step(Append)(one) and one.node == "s1"]
    records = list(run.records)
    one, other = (records[n] for n in at[:2])
    records[at[0]] = replace(one, event=other.event, received=other.received)
    return Trace(run.header, tuple(records))


def a_list_that_is_not_behind(run):
    number = first(run, step(Amiss))
    return changed(run, number, event=run.records[number].event.request)


def an_identity_again(run):
    opens = [n for n, one in enumerate(run.records) if isinstance(one, Open) and one.node == "ann"]
    return changed(run, opens[1], state=run.records[opens[0]].state)


def one_who_opens_and_knows(run):
    number = first(run, lambda one: isinstance(one, Open) and one.node == "ben")
    return changed(run, number, state=replace(run.records[number].state, sent=3))


def one_who_is_down_and_acts(run):
    return without(run, first(run, lambda one: isinstance(one, Open) and one.node == "cleo"))


def one_who_opens_twice(run):
    return without(run, first(run, lambda one: isinstance(one, Crash)))


def a_wake_that_nobody_asked_for(run):
    number = first(run, step(Propose))
    return changed(run, number, event=Timeout(Ballot(7, "x")))


def a_step_cut_short_without_a_crash(run):
    number = first(run, says(Decide))
    one = run.records[number]
    sends = [it for it in one.effects[:1] if isinstance(it, Send)]
    return changed(run, number, done=1, sent=one.sent[: len(sends)])


def an_id_that_was_used(run):
    at = [n for n, one in enumerate(run.records) if isinstance(one, Step) and one.sent]
    sent = run.records[at[3]].sent
    again = replace(sent[0], id=run.records[at[0]].sent[0].id)
    return changed(run, at[3], sent=(again, *sent[1:]))


def a_loss_of_nothing(run):
    return Trace(run.header, (*run.records, Lost(run.records[-1].at, 10**6, "lost")))


ALTERED = {
    an_effect_is_missing: r"right is Decide",
    an_effect_too_many: r"did Wait\(.*and no rule says so",
    another_value_is_decided: r"effect 1 of \w+ is Decide.*right is Decide",
    another_state: r"is in Client\(.*right is Client\(",
    something_else_is_sent: r"sent .*; its effects say",
    a_message_is_not_sent: r"sent .*; its effects say",
    something_else_is_heard: r"hears .*; s\d sent",
    an_answer_from_nobody: r"nobody sent",
    an_answer_for_somebody_else: r"hears what was sent to ben",
    an_entry_is_lost: r"before it is sent|right is",
    a_list_in_another_order: r"right is",
    a_list_that_is_not_behind: r"right is Send\(to='sender', message=Entries",
    an_identity_again: r"an identity that was used before",
    one_who_opens_and_knows: r"must open as one that knows nothing",
    one_who_is_down_and_acts: r"is down, and does something",
    one_who_opens_twice: r"is up already",
    a_wake_that_nobody_asked_for: r"asked to be woken with",
    a_step_cut_short_without_a_crash: r"cut short in its step before",
    an_id_that_was_used: r"was sent before",
    a_loss_of_nothing: r"is lost, and nobody sent it",
}


@pytest.mark.parametrize("alter", ALTERED, ids=lambda alter: alter.__name__)
def test_whatever_is_altered_is_found(alter):
    run = whole()
    verify(run)
    with pytest.raises(NotARun, match=rf"(?s)^record \d+: .*({ALTERED[alter]})"):
        verify(alter(run))


def test_a_promise_that_an_acceptor_does_not_give_is_found():
    run = simulate(seed=1)
    number = first(run, says(Save))
    with pytest.raises(NotARun, match=r"effect 1 of n\d is Send.*right is Save"):
        verify(changed(run, number, effects=run.records[number].effects[1:], done=1))


def test_rules_that_break_paxos_are_found_even_if_each_step_were_right(monkeypatch):
    """The invariants are looked at by themselves: here by the rules that made the run."""
    run = bad_run("accept ignores the promise")
    with pytest.raises(NotARun, match=r"record \d+: effect"):
        verify(run)
    monkeypatch.setattr(verifying.Verifier, "compare", lambda *_: None)
    monkeypatch.setattr(verifying, "PROTOCOLS", Followed(run))
    with pytest.raises(NotARun, match=r"all \d+ records are steps of the rules, but agreement"):
        verify(run)


class Followed(dict):
    """A protocol whose rules say what the records say."""

    def __init__(self, run):
        kind = PROTOCOLS["static"]
        said = iter([(one.state, one.effects) for one in run.steps()])

        def rule(*_):
            return next(said)

        steps = dict.fromkeys(kind.steps, rule)
        super().__init__({"static": replace(kind, steps=steps)})


def test_a_command_of_a_known_client_that_it_never_wished_for_is_found():
    run = merge(stripped(simulate(protocol="one-list", told=True, proposers=1, learners=0)))
    assert verify(run).unseen == 0
    stranger = merge(
        [
            one
            for one in stripped(simulate(protocol="one-list", told=True, proposers=2, learners=0))
            if one.of("client") == ["ben"]
        ]
    )
    assert verify(stranger).unseen == 1 and verify(stranger).decided == 2
    records = list(stranger.records)
    (mine,) = stranger.names
    number = first(stranger, lambda one: isinstance(one, Step) and one.received is None
                   and isinstance(one.event, Append))  # fmt: skip
    entry = records[number].event.entry
    forged = replace(entry, author=mine, number=9, content=replace(entry.content, client=mine))
    swap = {entry: forged}
    with pytest.raises(NotARun, match="validity is broken in slot"):
        verify(Trace(stranger.header, tuple(exchanged(one, swap) for one in records)))


def exchanged(thing, swap):
    """The thing with entries exchanged, however deep they are; states are left to the rules."""
    if isinstance(thing, Step):
        event, sent = exchanged(thing.event, swap), tuple(exchanged(o, swap) for o in thing.sent)
        effects = tuple(exchanged(one, swap) for one in thing.effects)
        effects = tuple(decided(one, swap) for one in effects)
        return replace(thing, event=event, sent=sent, effects=effects)
    if isinstance(thing, Entry):
        return swap.get(thing, thing)
    if isinstance(thing, tuple):
        return tuple(exchanged(one, swap) for one in thing)
    for name in ("message", "entry", "entries", "request"):
        if hasattr(thing, name):
            thing = replace(thing, **{name: exchanged(getattr(thing, name), swap)})
    return thing


def decided(effect, swap):
    """The same of what is told of it."""
    for old, new in swap.items():
        if isinstance(effect, Decide) and old.content in effect.value.content:
            return replace(effect, value=replace(effect.value, content=(new.content,)))
    return effect


# The command.


def written(tmp_path, *traces):
    names = []
    for number, trace in enumerate(traces):
        path = tmp_path / f"{number}.ndjson"
        path.write_text(dumps(trace), encoding="utf-8")
        names.append(str(path))
    return names


def test_the_command_says_it_in_a_line(tmp_path, capsys):
    (name,) = written(tmp_path, simulate())
    assert main(["verify", name]) == 0
    assert capsys.readouterr().out == (
        "a run of static: 75 records, 3 proposers, 3 acceptors, 1 learner, 1 decided entry\n"
    )
    (name,) = written(tmp_path, an_effect_is_missing(whole()))
    assert main(["verify", name]) == 1
    assert "no run of passive-log: record" in capsys.readouterr().out


def test_the_command_merges_and_writes_what_all_tools_read(tmp_path, capsys):
    parts = written(tmp_path, *stripped(whole()))
    out = str(tmp_path / "whole.ndjson")
    assert main(["verify", *parts, "--out", out]) == 0
    said = capsys.readouterr().out
    assert "4 clients, 3 lists, " in said
    assert main(["verify", out]) == 0
    assert capsys.readouterr().out == said
    for view in ("spacetime", "lists", "log"):
        assert main(["draw", out, "--view", view, "-o", str(tmp_path / "x.svg")]) == 0
    assert main(["verify", *parts[:-1], parts[0]]) == 1
    assert "the same identity" in capsys.readouterr().out


@pytest.mark.parametrize("cut", [1, 30, 300, 3000])
def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(cut, tmp_path, capsys):
    parts = written(tmp_path, *stripped(whole()))
    path = tmp_path / "0.ndjson"
    path.write_bytes(path.read_bytes()[:-cut])
    assert main(["verify", *parts]) == 0
    assert "lists" in capsys.readouterr().out


def test_what_cannot_be_read_is_said(tmp_path, capsys):
    part, *_ = written(tmp_path, *stripped(whole()))
    (tmp_path / "odd").write_bytes(b"\xff\xfe\n")
    (tmp_path / "text").write_text("hello\n", encoding="utf-8")
    (tmp_path / "empty").write_text("", encoding="utf-8")
    (tmp_path / "run").write_text(dumps(simulate()), encoding="utf-8")
    cases = {
        "odd": "not text in UTF-8",
        "text": "line 1: not JSON",
        "empty": "the file is empty",
        "none": "No such file",
    }
    for name, why in cases.items():
        assert main(["verify", str(tmp_path / name)]) == 2
        assert why in capsys.readouterr().err
    assert main(["verify", part, str(tmp_path / "run")]) == 2
    assert "only traces of clients can be merged" in capsys.readouterr().err
    assert main(["verify", part, "--out", str(tmp_path / "none" / "x")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_states_need_not_be_written():
    run = merge(stripped(whole()))
    assert all(one.state is None for one in run.steps())
    assert verify(run) == verify(told(run))
    assert any(isinstance(one.event, Answer) for one in run.steps())
    acks = [one for one in run.steps() if isinstance(getattr(one.event, "message", 0), Appended)]
    assert acks
