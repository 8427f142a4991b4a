"""The log: one Static Paxos a slot, and writers that find the end of the log."""

from collections import Counter

import pytest
from worlds import A1, B1, of, runs

from paxos.drivers.simulator import simulate
from paxos.outcome import broken, chosen
from paxos.protocol import acceptor, log, proposer
from paxos.protocol.events import Answer, Decide, Propose, Save, Send, Timeout, Wait
from paxos.protocol.log import Command, Slots, Writer, in_slots, prefix, start, step, unwrap, wrap
from paxos.protocol.machine import run as board
from paxos.protocol.messages import Accept, Accepted, InSlot, Prepare, Promise
from paxos.protocol.quorum import majority

ALONE = majority(1)
OPEN = start("proposer", "ann", ALONE)
FIRST, SECOND = Command("ann", 0, "x"), Command("ann", 1, "y")


def ask(writer, *events):
    """The writer after these events, and the effects of the last."""
    effects = ()
    for event in events:
        writer, effects = step(writer, event)
    return writer, effects


def heard(slot, message):
    return Answer("n1", InSlot(slot, message))


def test_an_untouched_slot_is_fresh():
    slots = Slots("fresh").put(2, "used")
    assert [slots.at(number) for number in range(4)] == ["fresh", "fresh", "used", "fresh"]


def test_slots_are_kept_in_order_whatever_was_touched_first():
    assert Slots(0).put(2, "b").put(1, "a") == Slots(0).put(1, "a").put(2, "b")


def test_a_role_in_slots_takes_the_very_steps_of_the_role():
    slots, effects = in_slots(acceptor.step)(Slots(acceptor.Acceptor()), InSlot(3, Prepare(A1)))
    state, plain = acceptor.step(acceptor.Acceptor(), Prepare(A1))
    assert slots.at(3) == state
    assert effects == (Save(slots), Send("sender", InSlot(3, plain[1].message)))


def test_what_is_saved_is_every_slot_at_once():
    slots = Slots(0).put(1, "a").put(2, "b")
    assert wrap(2, Save("b"), slots) == Save(slots)


@pytest.mark.parametrize(
    ("event", "inner"),
    [
        (InSlot(3, Prepare(A1)), Prepare(A1)),
        (Answer("n1", InSlot(3, Promise(A1, None))), Answer("n1", Promise(A1, None))),
        (Timeout(InSlot(3, A1)), Timeout(A1)),
    ],
    ids=["request", "answer", "alarm"],
)
def test_an_event_carries_its_slot(event, inner):
    assert unwrap(event) == (3, inner)


def test_an_effect_carries_its_slot():
    assert wrap(3, Wait("rival", A1), Slots(0)) == Wait("rival", InSlot(3, A1))
    assert wrap(3, Decide(A1, "x"), Slots(0)) == Decide(A1, InSlot(3, "x"))


def test_an_event_without_a_slot_is_the_callers_mistake():
    with pytest.raises(ValueError, match="belongs to no slot"):
        unwrap(Timeout(A1))


def test_the_first_command_is_proposed_for_the_first_slot():
    writer, effects = ask(OPEN, Propose("x"))
    assert writer.pending == (FIRST,)
    assert effects[0] == Send("acceptors", InSlot(0, Prepare(A1)))


def test_a_second_command_waits_for_the_first():
    writer, effects = ask(OPEN, Propose("x"), Propose("y"))
    assert (writer.pending, effects) == ((FIRST, SECOND), ())


def test_equal_texts_stay_two_commands():
    one, two = ask(OPEN, Propose("x"), Propose("x"))[0].pending
    assert one != two


WON = [Propose("x"), Propose("y"), heard(0, Promise(A1, None)), heard(0, Accepted(A1, FIRST))]
OTHERS = Command("ben", 0, "z")
TAKEN = [Propose("x"), heard(0, Promise(A1, Accept(B1, OTHERS))), heard(0, Accepted(A1, OTHERS))]


def test_a_command_that_is_in_the_log_makes_room_for_the_next():
    writer, effects = ask(OPEN, *WON)
    assert (writer.log, writer.pending) == ((FIRST,), (SECOND,))
    assert effects[0] == Decide(A1, InSlot(0, FIRST))
    assert effects[1] == Send("acceptors", InSlot(1, Prepare(A1)))


def test_one_who_finds_the_slot_taken_moves_on_and_says_nothing():
    writer, effects = ask(OPEN, *TAKEN)
    assert (writer.log, writer.pending) == ((OTHERS,), (FIRST,))
    assert effects[0] == Send("acceptors", InSlot(1, Prepare(A1)))
    assert not any(isinstance(effect, Decide) for effect in effects)


def test_the_prefix_ends_at_the_first_gap():
    slots = start("learner", "l1", ALONE)
    for slot, value in ((0, "a"), (1, "b"), (3, "d")):
        slots, _ = log.STEPS["learner"](slots, heard(slot, Accepted(A1, value)))
    assert prefix(slots) == ("a", "b")


def test_each_role_opens_with_no_slot_touched():
    assert start("acceptor", "x", ALONE) == Slots(acceptor.Acceptor())
    assert Writer("ann", Slots(proposer.Proposer("ann", ALONE))) == OPEN


def logs(run):
    """The log that each learner and each writer ended with."""
    last = {step.node: step.state for step in run.steps()}
    ends = [prefix(state) for name, state in last.items() if name in run.of("learner")]
    return ends + [state.log for name, state in last.items() if name in run.of("proposer")]


def test_all_logs_are_beginnings_of_one_log():
    for run in runs("log"):
        longest = max(logs(run), key=len)
        assert all(longest[: len(one)] == one for one in logs(run)), run.header


def test_no_slot_breaks_an_invariant():
    for run in runs("log"):
        assert broken(run) == [], run.header


def test_no_command_is_in_the_log_twice():
    for run in runs("log"):
        assert max(Counter(max(logs(run), key=len)).values(), default=1) == 1


def test_every_command_gets_into_the_log_of_a_quiet_world():
    run = simulate(protocol="log", proposers=3, learners=3)
    texts = {command.text for command in max(logs(run), key=len)}
    assert texts == {f"book saturday {who}" for who in ("Ann", "Ben", "Cleo")}


def test_slots_are_decided_apart_and_each_of_them_once():
    for run in runs("log"):
        values = {(one.slot, one.proposal.value) for one in chosen(run)}
        assert len(values) == len({slot for slot, _ in values})


def test_machines_fed_by_different_learners_show_beginnings_of_one_history():
    for run in runs("log"):
        longest = [command.text for command in max(logs(run), key=len)]
        boards = [board(longest[:end]) for end in range(len(longest) + 1)]
        for one in logs(run):
            assert board(command.text for command in one) == boards[len(one)]


def test_writers_work_one_slot_at_a_time():
    """The simplest honest form: nothing is proposed for a slot before all earlier are known."""
    for run in runs("log"):
        for one in of(run, "proposer"):
            touched = [slot for slot, its in one.state.proposers.used if its.phase != "idle"]
            assert touched == list(range(len(touched)))
            assert len(touched) <= len(one.state.log) + 1
