"""The learner: chosen is what a quorum voted for in one ballot."""

from functools import reduce

import pytest
from worlds import A1, A2, B1

from paxos.protocol.events import Answer, Decide
from paxos.protocol.learner import Learner, step
from paxos.protocol.messages import Accept, Accepted, Chosen, Promise
from paxos.protocol.quorum import Flexible, majority

THREE = majority(3)
HEARD = Learner(THREE, votes=((A1, "n1"),))


def vote(acceptor, ballot, value):
    return Answer(acceptor, Accepted(ballot, value))


def hear(*answers, quorums=THREE):
    return reduce(lambda learner, answer: step(learner, answer)[0], answers, Learner(quorums))


def test_one_vote_of_three_decides_nothing():
    assert step(Learner(THREE), vote("n1", A1, "Ann")) == (HEARD, ())


def test_a_quorum_of_votes_in_one_ballot_is_a_decision():
    after, effects = step(HEARD, vote("n2", A1, "Ann"))
    assert after.chosen == Accept(A1, "Ann")
    assert effects == (Decide(A1, "Ann"),)


def test_the_same_acceptor_twice_is_one_vote():
    assert step(HEARD, vote("n1", A1, "Ann")) == (HEARD, ())


def test_equal_values_in_different_ballots_do_not_add_up():
    assert hear(vote("n1", A1, "Ann"), vote("n2", A2, "Ann")).chosen is None


def test_votes_are_counted_per_ballot_whatever_comes_between():
    learner = hear(vote("n1", A1, "Ann"), vote("n2", B1, "Ben"), vote("n3", A1, "Ann"))
    assert learner.chosen == Accept(A1, "Ann")


def test_the_order_of_votes_leaves_no_mark():
    one, other = vote("n1", A1, "Ann"), vote("n2", B1, "Ben")
    assert hear(one, other) == hear(other, one)


def test_a_decision_is_told_once():
    learner = hear(vote("n1", A1, "Ann"), vote("n2", A1, "Ann"))
    assert step(learner, vote("n3", A1, "Ann")) == (learner, ())
    assert step(learner, vote("n3", A2, "Ann")) == (learner, ())


@pytest.mark.parametrize(("votes", "decided"), [(1, False), (2, True)])
def test_it_is_the_phase_2_quorum_that_counts(votes, decided):
    answers = [vote(f"n{number}", A1, "Ann") for number in range(votes)]
    assert (hear(*answers, quorums=Flexible(4, 3, 2)).chosen is not None) == decided


def test_only_votes_are_heard():
    assert step(HEARD, Answer("n2", Promise(A1, None))) == (HEARD, ())


def test_one_who_was_told_need_not_count():
    told = Answer("d1", Chosen(A1, "Ann"))
    after, effects = step(Learner(THREE), told)
    assert (after.chosen, after.votes) == (Accept(A1, "Ann"), ())
    assert effects == (Decide(A1, "Ann"),)
    assert step(HEARD, told)[0] == after


def test_who_knows_is_not_told_again():
    learner = hear(vote("n1", A1, "Ann"), vote("n2", A1, "Ann"))
    assert step(learner, Answer("d1", Chosen(A2, "Ann"))) == (learner, ())
