"""The log: one ballot for all slots, and a writer that must neither leave a gap nor undo a slot."""

import pytest
from worlds import A1, A2, B1, B2

from paxos.protocol import log
from paxos.protocol.ballot import Ballot
from paxos.protocol.events import Answer, Decide, Propose, Send, Timeout, Wait
from paxos.protocol.log import BATCH, NOOP, WINDOW, Writer, start, step
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Command,
    InSlot,
    Prepare,
    Promise,
    Promises,
    Refused,
)
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorum import majority
from paxos.protocol.votes import Votes

ALONE, THREE = majority(1), majority(3)
X, Y, Z = (Command("ann", number, text) for number, text in enumerate("xyz"))
OTHERS = (Command("ben", 0, "w"),)


def writer(*events, quorums=ALONE):
    """A writer after these events, and the effects of the last."""
    me, effects = start("proposer", "ann", quorums), ()
    for event in events:
        me, effects = step(me, event)
    return me, effects


def heard(slot, message, who="n1"):
    return Answer(who, InSlot(slot, message))


def promised(*votes, ballot=A1, who="n1", slot=0):
    return heard(slot, Promises(ballot, votes), who)


def asked(effects):
    """What the effects ask of acceptors: {slot: request}."""
    return {
        effect.message.slot: effect.message.content
        for effect in effects
        if isinstance(effect, Send)
    }


LEADING = (Propose("x"), promised())


# Phase 1, once for all slots.


def test_the_first_wish_asks_for_every_slot_from_the_end_of_the_log_on():
    me, effects = writer(Propose("x"))
    assert me.pending == (X,)
    assert effects == (Send("acceptors", InSlot(0, Prepare(A1))), Wait("answers", A1))


def test_after_its_promises_a_writer_asks_for_votes_at_once():
    me, effects = writer(*LEADING)
    assert me.leads
    assert asked(effects) == {0: Accept(A1, (X,))}


def test_a_later_wish_of_a_leader_costs_phase_2_only():
    _, effects = writer(*LEADING, heard(0, Accepted(A1, (X,))), Propose("y"))
    assert asked(effects) == {1: Accept(A1, (Y,))}
    assert not any(isinstance(its, Prepare) for its in asked(effects).values())


def test_a_leader_need_not_know_one_slot_to_ask_for_the_next():
    _, effects = writer(*LEADING, Propose("y"))
    assert asked(effects) == {1: Accept(A1, (Y,))}


def test_a_wish_waits_while_promises_are_on_their_way():
    me, effects = writer(Propose("x"), Propose("y"))
    assert (me.pending, effects) == ((X, Y), ())


def test_equal_texts_stay_two_commands():
    one, two = writer(Propose("x"), Propose("x"))[0].pending
    assert one != two


def test_it_takes_a_quorum_of_promises_to_lead():
    me, effects = writer(Propose("x"), promised(), quorums=THREE)
    assert (me.leads, effects) == (False, ())
    me, effects = writer(Propose("x"), promised(), promised(who="n1"), quorums=THREE)
    assert not me.leads, "the same acceptor twice"
    me, effects = writer(Propose("x"), promised(), promised(who="n2"), quorums=THREE)
    assert asked(effects) == {0: Accept(A1, (X,))}


def test_a_promise_for_a_ballot_that_was_left_counts_for_nothing():
    before, _ = writer(Propose("x"), Timeout(A1))
    assert before.ballot == A2
    after, effects = step(before, promised((0, Accept(B1, OTHERS)), ballot=A1))
    assert (after.votes, after.proposer, effects) == ((), before.proposer, ())


def test_what_was_reported_for_a_ballot_that_was_left_is_forgotten_with_it():
    """Its promises are void; a vote that one of them reported may have been overwritten since."""
    me, _ = writer(Propose("x"), promised((0, Accept(B1, OTHERS))), Timeout(A1), quorums=THREE)
    assert (me.votes, me.asked, me.ballot) == ((), (), A2)


# Taking over: no gap, and nothing undone.


def taken_over(*votes):
    """What a new leader asks for that one acceptor has reported these votes."""
    return asked(writer(Propose("x"), promised(*votes))[1])


def test_a_new_leader_asks_again_for_what_may_be_chosen_in_every_slot():
    other = (Command("ben", 1, "v"),)
    mine = taken_over((0, Accept(B1, OTHERS)), (1, Accept(B1, other)))
    first = Ballot(1, "ann")
    assert mine == {0: Accept(first, OTHERS), 1: Accept(first, other), 2: Accept(first, (X,))}


def test_a_gap_is_filled_with_a_no_op():
    mine = taken_over((2, Accept(B1, OTHERS)))
    assert mine == {
        0: Accept(A1, NOOP),
        1: Accept(A1, NOOP),
        2: Accept(A1, OTHERS),
        3: Accept(A1, (X,)),
    }


def test_a_no_op_is_never_put_over_a_vote_that_any_promise_reports():
    """The vote is in the first promise and not in the one that completes the quorum."""
    _, effects = writer(
        Propose("x"),
        promised((0, Accept(B1, OTHERS)), (1, Accept(B1, OTHERS)), who="n1"),
        promised((1, Accept(B1, OTHERS)), who="n2"),
        quorums=THREE,
    )
    assert asked(effects)[0] == Accept(A1, OTHERS)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_in_each_slot_the_highest_vote_binds(order):
    reports = [(0, Accept(B1, ())), (0, Accept(B2, OTHERS))]
    _, effects = writer(
        Propose("x"),
        Timeout(A1),
        Timeout(A2),
        *(
            promised(reports[n], ballot=Ballot(3, "ann"), who=f"n{place}")
            for place, n in enumerate(order)
        ),
        quorums=THREE,
    )
    assert asked(effects)[0] == Accept(Ballot(3, "ann"), OTHERS)


def test_a_no_op_that_may_be_chosen_binds_like_any_other_value():
    assert taken_over((0, Accept(B1, NOOP))) == {0: Accept(A1, NOOP), 1: Accept(A1, (X,))}


def test_ones_own_command_found_in_a_slot_is_not_asked_for_in_another():
    """It was asked for in a former ballot, and may be chosen there."""
    mine = taken_over((0, Accept(B1, (X,))))
    assert mine == {0: Accept(A1, (X,))}


def test_a_leader_does_not_ask_again_below_what_it_knows():
    me, _ = writer(*LEADING, heard(0, Accepted(A1, (X,))), Timeout(A1))
    assert me.log == ((X,),)
    me, effects = step(me, Propose("y"))
    me, effects = step(me, Timeout(A1))
    assert asked(effects) == {1: Prepare(A2)}
    _, effects = step(me, promised((0, Accept(A1, (X,))), ballot=A2, slot=1))
    assert asked(effects) == {1: Accept(A2, (Y,))}


# Batches and the window.


def many(number):
    return [Propose(str(one)) for one in range(number)]


def test_what_waits_goes_into_one_slot():
    _, effects = writer(*many(BATCH), promised())
    assert [len(its.value) for its in asked(effects).values()] == [BATCH]


def test_a_slot_takes_no_more_than_a_batch():
    _, effects = writer(*many(BATCH + 1), promised())
    assert [len(its.value) for its in asked(effects).values()] == [BATCH, 1]


def test_no_more_slots_are_in_flight_than_the_window_allows():
    me, effects = writer(*many(BATCH * (WINDOW + 2)), promised())
    assert list(asked(effects)) == list(range(WINDOW))
    assert step(me, Propose("late"))[1] == (Wait("answers", A1),)


def test_what_is_decided_makes_room_in_the_window():
    me, effects = writer(*many(BATCH * (WINDOW + 2)), promised())
    first = asked(effects)[0].value
    me, effects = step(me, heard(0, Accepted(A1, first)))
    assert list(asked(effects)) == [WINDOW]
    assert not set(first) & set(me.pending)


def test_a_gap_keeps_the_window_where_it_is():
    me, effects = writer(*many(BATCH * (WINDOW + 2)), promised())
    _, effects = step(me, heard(1, Accepted(A1, asked(effects)[1].value)))
    assert asked(effects) == {}


# Learning.


def test_a_command_that_is_in_the_log_is_told_and_makes_room_for_the_next():
    me, effects = writer(*LEADING, heard(0, Accepted(A1, (X,))))
    assert (me.log, me.pending, me.asked) == (((X,),), (), ())
    assert effects == (Decide(A1, InSlot(0, (X,))),)


def test_the_log_ends_at_its_first_gap_and_goes_on_when_it_closes():
    me, _ = writer(*LEADING, Propose("y"), heard(1, Accepted(A1, (Y,))))
    assert me.log == ()
    me, _ = step(me, heard(0, Accepted(A1, (X,))))
    assert (me.log, me.learners) == (((X,), (Y,)), ())


def test_who_says_nothing_learns_all_the_same():
    me, effects = writer(heard(0, Accepted(B1, OTHERS)))
    assert me.log == (OTHERS,)
    assert effects == (Decide(B1, InSlot(0, OTHERS)),)


def test_what_others_got_decided_is_asked_for_no_more():
    me, effects = writer(*LEADING, heard(0, Accepted(B1, (*OTHERS, X))))
    assert (me.pending, me.asked) == ((), ())
    assert asked(effects) == {}


def test_votes_of_different_ballots_do_not_add_up_in_a_slot():
    votes = heard(0, Accepted(A1, OTHERS), "n1"), heard(0, Accepted(B1, OTHERS), "n2")
    assert writer(*votes, quorums=THREE)[0].log == ()


def test_votes_of_different_slots_do_not_add_up():
    votes = heard(0, Accepted(A1, OTHERS), "n1"), heard(1, Accepted(A1, OTHERS), "n2")
    assert writer(*votes, quorums=THREE)[0].log == ()


def test_what_comes_after_the_end_of_its_slot_is_old_news():
    me, _ = writer(*LEADING, heard(0, Accepted(A1, (X,))))
    assert step(me, heard(0, Accepted(A1, (X,)))) == (me, ())
    assert step(me, heard(0, Accepted(B2, OTHERS))) == (me, ())


# Losing the lead, and waking up.


@pytest.mark.parametrize("refusal", [InSlot(0, Refused(A1, B1)), Refused(A1, B1)])
def test_a_higher_promise_in_any_slot_ends_the_lead_in_all(refusal):
    me, effects = writer(*LEADING, Answer("n1", refusal))
    assert (me.leads, me.proposer.phase) == (False, "wait")
    assert effects == (Wait("rival", A1),)
    assert asked(step(me, Propose("y"))[1]) == {}, "no vote is asked for in a ballot given up"


def test_one_who_stepped_back_comes_again_above_its_rival():
    _, effects = writer(*LEADING, heard(0, Refused(A1, B1)), Timeout(A1))
    assert asked(effects) == {0: Prepare(Ballot(2, "ann"))}


def test_a_wish_of_one_who_stepped_back_with_nothing_to_say_starts_a_ballot():
    done = (*LEADING, heard(0, Accepted(A1, (X,))), heard(1, Refused(A1, B1)))
    me, effects = writer(*done, Propose("y"))
    assert asked(effects) == {1: Prepare(Ballot(2, "ann"))}
    assert me.pending == (Y,)


def test_who_has_nothing_to_say_is_not_woken():
    me, _ = writer(*LEADING, heard(0, Accepted(A1, (X,))))
    assert step(me, Timeout(A1)) == (me, ())
    assert writer(Timeout(A1))[1] == ()


def test_a_leader_that_hears_nothing_starts_again_above():
    _, effects = writer(*LEADING, Timeout(A1))
    assert asked(effects) == {0: Prepare(A2)}


ABOVE_A_GAP = (
    *(Propose("x"), promised((1, Accept(B1, OTHERS)))),  # so: no-op, OTHERS, x
    *(heard(1, Accepted(A1, OTHERS)), heard(2, Accepted(A1, (X,)))),
)


def test_a_command_decided_above_a_gap_is_not_in_the_log_yet():
    me, _ = writer(*ABOVE_A_GAP)
    assert (me.log, me.pending, me.busy) == ((), (X,), True)
    me, _ = step(me, heard(0, Accepted(A1, NOOP)))
    assert (me.log, me.pending, me.busy) == ((NOOP, OTHERS, (X,)), (), False)


def test_a_command_decided_above_a_gap_is_not_asked_for_in_another_slot():
    me, _ = writer(*ABOVE_A_GAP)
    assert asked(step(me, Propose("y"))[1]) == {3: Accept(A1, (Y,))}


def test_who_waits_for_a_gap_to_close_tries_again_until_it_does():
    """Else its command is decided and never carried out: nobody else may have a wish."""
    me, _ = writer(*ABOVE_A_GAP)
    me, effects = step(me, Timeout(A1))
    assert asked(effects) == {0: Prepare(A2)}
    me, effects = step(me, Timeout(A2))
    again = Ballot(3, "ann")
    assert asked(effects) == {0: Prepare(again)}
    known = ((1, Accept(A1, OTHERS)), (2, Accept(A1, (X,))))
    me, effects = step(me, promised(*known, ballot=again))
    assert asked(effects) == {
        0: Accept(again, NOOP),
        1: Accept(again, OTHERS),
        2: Accept(again, (X,)),
    }


def test_what_is_asked_in_a_slot_is_asked_for_until_the_ballot_is_left():
    """All of our own is in the log; what we took over from others is not, yet."""
    me, _ = writer(
        Propose("x"),
        promised((0, Accept(B1, (X,))), (1, Accept(B1, OTHERS))),
        heard(0, Accepted(A1, (X,))),
    )
    assert (me.pending, me.asked) == ((), ((1, Accept(A1, OTHERS)),))
    assert asked(step(me, Timeout(A1))[1]) == {1: Prepare(A2)}


def test_what_belongs_to_no_slot_is_not_heard():
    for stray in (Promise(A1, None), Accepted(A1, (X,))):
        me, _ = writer(Propose("x"))
        assert step(me, Answer("n1", stray)) == (me, ())


def test_each_role_opens_with_nothing():
    assert start("acceptor", "x", ALONE) == Votes()
    assert start("learner", "l1", ALONE) == Writer(Proposer("l1", ALONE))
    assert log.STEPS["learner"] is log.STEPS["proposer"]


def test_the_log_need_not_keep_the_order_in_which_one_client_asked():
    """The second slot's request arrives, the first one's does not: what was asked first comes last."""
    events = (*LEADING, Propose("y"), Timeout(A1), promised((1, Accept(A1, (Y,))), ballot=A2))
    _, effects = writer(*events)
    assert asked(effects) == {0: Accept(A2, NOOP), 1: Accept(A2, (Y,)), 2: Accept(A2, (X,))}
