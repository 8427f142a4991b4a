"""A member: a proposer and a learner that hear the same answers, and what a memory asks of both."""

import pytest
from worlds import A1, A2, B1

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.events import Answer, Decide, Propose, Send, Timeout, Wait
from paxos.protocol.learner import Learner
from paxos.protocol.log import Writer
from paxos.protocol.member import Member, advance, blank, opened, requests, step
from paxos.protocol.messages import Accept, Accepted, Command, InSlot, Prepare, Promise, Promises
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorum import majority
from paxos.protocol.votes import Votes

THREE = majority(3)


def ann(*events):
    return advance(opened("ann", THREE, many=False), *events)


def promise(name, ballot=A1, vote=None):
    return Answer(name, Promise(ballot, vote))


def vote(name, ballot=A1, value="Ann"):
    return Answer(name, Accepted(ballot, value))


ASKED = (Propose("Ann"), promise("s1"), promise("s2"))


def test_it_asks_what_its_proposer_asks():
    me, effects = ann(Propose("Ann"))
    assert effects == (Send("acceptors", Prepare(A1)), Wait("answers", A1))
    assert (me.ballot, me.busy, me.settled) == (A1, True, False)


def test_its_own_votes_decide():
    me, effects = ann(*ASKED, vote("s1"), vote("s2"))
    assert effects[-1] == Decide(A1, "Ann")
    assert (me.busy, me.settled) == (False, True)


def test_a_decision_is_told_once_though_both_have_counted_it():
    _, effects = ann(*ASKED, vote("s1"), vote("s2"), vote("s3"))
    assert [one for one in effects if isinstance(one, Decide)] == [Decide(A1, "Ann")]


def test_the_votes_of_others_decide_as_well():
    """Whoever reads a memory sees the votes of all."""
    me, effects = ann(Propose("Ann"), vote("s1", B1, "Ben"), vote("s2", B1, "Ben"))
    assert effects[-1] == Decide(B1, "Ben")
    assert (me.busy, me.proposer.phase) == (False, "done"), "its own wish has come to nothing"


def test_who_wants_nothing_learns():
    me, effects = ann(vote("s1", B1, "Ben"), vote("s2", B1, "Ben"))
    assert effects == (Decide(B1, "Ben"),)
    assert not me.busy


def test_votes_in_different_ballots_decide_nothing():
    me, effects = ann(vote("s1", B1, "Ben"), vote("s2", A2, "Ben"))
    assert (effects, me.settled) == ((), False)


def test_who_knows_tells_a_user_who_asks_and_asks_for_nothing():
    me, _ = ann(vote("s1", B1, "Ben"), vote("s2", B1, "Ben"))
    assert step(me, Propose("Ann")) == (me, (Decide(B1, "Ben"),))


@pytest.mark.parametrize("event", [Timeout(A1), vote("s3"), promise("s3")], ids=repr)
def test_who_knows_is_moved_by_nothing_else(event):
    me, _ = ann(*ASKED, vote("s1"), vote("s2"))
    assert step(me, event) == (me, ())


def test_a_timeout_starts_a_higher_ballot():
    _, effects = ann(*ASKED, Timeout(A1))
    assert effects[-2:] == (Send("acceptors", Prepare(A2)), Wait("answers", A2))


# For a memory.


def test_one_decision_or_a_log():
    assert opened("ann", THREE, many=False) == Member(Proposer("ann", THREE), Learner(THREE))
    assert opened("ann", THREE, many=True) == Writer(Proposer("ann", THREE))


def test_several_steps_are_taken_one_after_the_other():
    me = opened("ann", THREE, many=False)
    effects = ()
    for event in ASKED:
        me, more = step(me, event)
        effects += more
    assert ann(*ASKED) == (me, effects)
    assert ann() == (opened("ann", THREE, many=False), ())


def test_what_nobody_was_asked_yet():
    assert blank(opened("ann", THREE, many=False)) == Acceptor()
    assert blank(opened("ann", THREE, many=True)) == Votes()


@pytest.mark.parametrize(
    ("events", "asks"),
    [
        ((), []),
        (ASKED[:1], [Prepare(A1)]),
        (ASKED, [Accept(A1, "Ann")]),
        ((*ASKED, vote("s1"), vote("s2")), []),
    ],
    ids=["idle", "phase 1", "phase 2", "done"],
)
def test_what_it_asks_now(events, asks):
    assert requests(ann(*events)[0]) == asks


def test_what_a_writer_asks_now_is_one_prepare_or_a_vote_for_each_slot():
    def writer(*events):
        return advance(opened("ann", THREE, many=True), *events)[0]

    def promised(name):
        return Answer(name, InSlot(0, Promises(A1, ())))

    leading = (Propose("x"), promised("s1"), promised("s2"), Propose("y"))
    x, y = ((Command("ann", number, text),) for number, text in enumerate("xy"))
    assert requests(writer()) == []
    assert requests(writer(Propose("x"))) == [InSlot(0, Prepare(A1))]
    assert requests(writer(*leading)) == [InSlot(0, Accept(A1, x)), InSlot(1, Accept(A1, y))]
    decided = [Answer(name, InSlot(0, Accepted(A1, x))) for name in ("s1", "s2")]
    assert requests(writer(*leading, *decided)) == [InSlot(1, Accept(A1, y))]
    again = (Timeout(A1),)
    assert requests(writer(*leading, *decided, *again)) == [InSlot(1, Prepare(A2))]
