"""The proposer: when it may go on, what it must carry along, and when it steps back."""

from dataclasses import replace
from functools import reduce

import pytest
from worlds import A1, A2, B1, B2

from paxos.protocol.ballot import Ballot
from paxos.protocol.events import Answer, Decide, Propose, Send, Timeout, Wait
from paxos.protocol.messages import Accept, Accepted, Prepare, Promise, Refused
from paxos.protocol.proposer import Proposer, binding_value, step
from paxos.protocol.quorum import Flexible, majority

IDLE = Proposer("ann", majority(3))


def promise(acceptor, ballot=A1, vote=None):
    return Answer(acceptor, Promise(ballot, vote))


def accepted(acceptor, ballot=A1, value="Ann"):
    return Answer(acceptor, Accepted(ballot, value))


def refused(ballot=A1, promised=B1):
    return Answer("n3", Refused(ballot, promised))


def after(*events, start=IDLE):
    return reduce(lambda p, event: step(p, event)[0], events, start)


PREPARING = after(Propose("Ann"))
DECIDING = after(promise("n1"), promise("n2"), start=PREPARING)
WAITING = after(refused(), start=PREPARING)
DONE = after(accepted("n1"), accepted("n2"), start=DECIDING)


def asks_for_promises(ballot):
    return (Send("acceptors", Prepare(ballot)), Wait("answers", ballot))


def asks_for_votes(ballot, value):
    return (Send("acceptors", Accept(ballot, value)), Wait("answers", ballot))


def test_a_wish_starts_the_first_ballot():
    p, effects = step(IDLE, Propose("Ann"))
    assert (p.phase, p.wish, p.ballot) == ("prepare", "Ann", A1)
    assert effects == asks_for_promises(A1)


@pytest.mark.parametrize("busy", [PREPARING, DECIDING, WAITING, DONE], ids=lambda p: p.phase)
def test_a_second_wish_is_not_taken(busy):
    assert step(busy, Propose("Zoe")) == (busy, ())


def test_one_promise_of_three_is_only_counted():
    assert step(PREPARING, promise("n1")) == (replace(PREPARING, promises=(("n1", None),)), ())


def test_a_quorum_of_promises_opens_phase_2_with_the_own_wish():
    p, effects = step(after(promise("n1"), start=PREPARING), promise("n2"))
    assert (p.phase, p.value) == ("decide", "Ann")
    assert effects == asks_for_votes(A1, "Ann")


def test_the_same_promise_twice_counts_once():
    p, effects = step(after(promise("n1"), start=PREPARING), promise("n1"))
    assert (p.phase, p.promises, effects) == ("prepare", (("n1", None),), ())


def test_the_order_of_promises_leaves_no_mark():
    assert after(promise("n1"), promise("n2"), start=PREPARING) == after(
        promise("n2"), promise("n1"), start=PREPARING
    )


def test_a_reported_vote_replaces_the_wish():
    p = after(promise("n1", vote=Accept(Ballot(0, "z"), "Ben")), promise("n2"), start=PREPARING)
    assert (p.wish, p.value) == ("Ann", "Ben")


def test_the_vote_in_the_promise_that_completes_the_quorum_counts_too():
    last = promise("n2", vote=Accept(Ballot(0, "z"), "Ben"))
    assert step(after(promise("n1"), start=PREPARING), last)[1] == asks_for_votes(A1, "Ben")


def test_the_binding_value_is_the_one_of_the_highest_vote():
    votes = [Accept(B1, "Ben"), Accept(B2, "Cleo"), None, Accept(A2, "Dan")]
    assert binding_value(votes, "Ann") == binding_value(votes[::-1], "Ann") == "Cleo"


def test_without_votes_nothing_binds():
    assert binding_value([None, None], "Ann") == binding_value([], "Ann") == "Ann"


def test_one_vote_of_three_is_only_counted():
    assert step(DECIDING, accepted("n1")) == (replace(DECIDING, accepted=("n1",)), ())


def test_the_same_vote_twice_counts_once():
    p, effects = step(after(accepted("n1"), start=DECIDING), accepted("n1"))
    assert (p.phase, p.accepted, effects) == ("decide", ("n1",), ())


def test_a_quorum_of_votes_is_a_decision():
    p, effects = step(after(accepted("n1"), start=DECIDING), accepted("n2"))
    assert p.phase == "done"
    assert effects == (Decide(A1, "Ann"),)


def test_the_two_phases_wait_for_quorums_of_their_own_size():
    start = after(Propose("Ann"), start=Proposer("ann", Flexible(4, 3, 2)))
    two = after(promise("n1"), promise("n2"), start=start)
    three = after(promise("n3"), start=two)
    assert (two.phase, three.phase) == ("prepare", "decide")
    assert after(accepted("n1"), start=three).phase == "decide"
    assert after(accepted("n1"), accepted("n2"), start=three).phase == "done"


@pytest.mark.parametrize("start", [PREPARING, DECIDING], ids=lambda p: p.phase)
def test_a_higher_promise_makes_it_step_back(start):
    p, effects = step(start, refused(promised=B2))
    assert (p.phase, p.highest) == ("wait", B2)
    assert effects == (Wait("rival", A1),)


@pytest.mark.parametrize("promised", [A1, Ballot(0, "z")], ids=["equal", "lower"])
def test_its_own_promise_is_no_rival(promised):
    assert step(DECIDING, refused(promised=promised)) == (DECIDING, ())


@pytest.mark.parametrize("start", [WAITING, DONE], ids=lambda p: p.phase)
def test_one_who_waits_or_is_done_does_not_step_back_again(start):
    assert step(start, refused(promised=B2)) == (start, ())


@pytest.mark.parametrize("start", [PREPARING, DECIDING, WAITING], ids=lambda p: p.phase)
def test_when_the_wait_is_over_it_tries_a_higher_ballot(start):
    p, effects = step(start, Timeout(A1))
    assert (p.phase, p.ballot) == ("prepare", A2)
    assert effects == asks_for_promises(A2)


def test_the_next_ballot_is_above_the_rival_s():
    assert after(refused(promised=Ballot(7, "ben")), Timeout(A1), start=DECIDING).ballot == Ballot(
        8, "ann"
    )


def test_one_who_is_done_stays_done():
    assert step(DONE, Timeout(A1)) == (DONE, ())
    assert step(DONE, accepted("n3")) == (DONE, ())


def test_an_alarm_set_for_an_earlier_ballot_is_not_heard():
    second = after(Timeout(A1), start=PREPARING)
    assert step(second, Timeout(A1)) == (second, ())


def test_nothing_gathered_for_one_ballot_counts_in_the_next():
    p = after(promise("n1"), Timeout(A1), start=PREPARING)
    assert p.promises == ()
    p = after(accepted("n1"), Timeout(A1), start=DECIDING)
    assert (p.promises, p.accepted, p.value) == ((), (), None)


@pytest.mark.parametrize(
    "late", [promise("n2"), accepted("n2"), refused(promised=B2)], ids=["promise", "vote", "no"]
)
def test_answers_to_an_earlier_ballot_are_too_late(late):
    for second in (
        after(Timeout(A1), promise("n1", A2), start=PREPARING),
        after(Timeout(A1), promise("n1", A2), promise("n3", A2), start=PREPARING),
    ):
        assert step(second, late) == (second, ())


@pytest.mark.parametrize("answer", [promise, accepted], ids=["promise", "vote"])
def test_an_answer_to_somebody_else_is_not_for_us(answer):
    assert step(PREPARING, answer("n2", B2)) == (PREPARING, ())
    assert step(DECIDING, answer("n2", B2)) == (DECIDING, ())


def test_a_promise_in_phase_2_is_one_more_than_needed():
    assert step(DECIDING, promise("n3", vote=Accept(Ballot(0, "z"), "Ben"))) == (DECIDING, ())


def test_a_vote_in_phase_1_is_not_counted():
    assert step(PREPARING, accepted("n1")) == (PREPARING, ())


@pytest.mark.parametrize("answer", [promise("n3"), accepted("n3")], ids=["promise", "vote"])
def test_one_who_has_stepped_back_ignores_answers(answer):
    assert step(WAITING, answer) == (WAITING, ())


def test_it_has_nothing_to_save():
    """It comes back from a crash as another proposer, so nothing here needs to survive."""
    assert all(
        not any(type(effect).__name__ == "Save" for effect in step(p, event)[1])
        for p in (IDLE, PREPARING, DECIDING, WAITING, DONE)
        for event in (Propose("Ann"), promise("n3"), accepted("n3"), refused(), Timeout(A1))
    )
