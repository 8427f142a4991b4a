"""Static Paxos seen by the eye that sees everything: what it calls chosen, and what it calls broken."""

import pytest
from worlds import A1, A2, B1, B2, befores, of, runs

from paxos.outcome import broken as broken_in
from paxos.outcome import chosen as chosen_in
from paxos.protocol import acceptor, learner, proposer
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.messages import Accept
from paxos.protocol.quorum import Flexible, majority
from paxos.protocol.safety import History, broken, chosen, promise_kept
from paxos.protocol.static import start

THREE = majority(3)
ANN, BEN = Accept(A1, "Ann"), Accept(B1, "Ben")


def history(*votes, decided=(), wishes=("Ann", "Ben"), quorums=THREE):
    return History(quorums, wishes, votes, decided)


def test_each_role_opens_in_its_own_state():
    quorums = majority(3)
    assert start("acceptor", "x", quorums) == acceptor.Acceptor()
    assert start("learner", "x", quorums) == learner.Learner(quorums)
    assert start("proposer", "x", quorums) == proposer.Proposer("x", quorums)


def test_nothing_is_chosen_by_fewer_than_a_quorum():
    assert chosen(history(("n1", ANN), ("n1", ANN))) == ()


def test_a_quorum_of_votes_for_one_proposal_chooses_it():
    assert chosen(history(("n1", ANN), ("n2", ANN))) == (ANN,)


def test_votes_for_one_value_in_two_ballots_choose_nothing():
    assert chosen(history(("n1", ANN), ("n2", Accept(A2, "Ann")))) == ()


def test_votes_for_two_values_in_one_ballot_choose_nothing():
    assert chosen(history(("n1", ANN), ("n2", Accept(A1, "Zoe")))) == ()


def test_it_takes_a_phase_2_quorum_to_choose():
    two = (("n1", ANN), ("n2", ANN))
    assert chosen(history(*two, quorums=Flexible(4, 3, 2))) == (ANN,)
    assert chosen(history(*two, quorums=Flexible(4, 2, 3))) == ()


def test_a_later_vote_does_not_undo_a_choice():
    assert chosen(history(("n1", ANN), ("n2", ANN), ("n2", BEN))) == (ANN,)


def test_what_is_chosen_is_told_lowest_ballot_first():
    high = Accept(B2, "Ann")
    assert chosen(history(("n1", high), ("n2", high), ("n2", ANN), ("n3", ANN))) == (ANN, high)


BROKEN = {
    "agreement": history(("n1", ANN), ("n2", ANN), ("n2", BEN), ("n3", BEN)),
    "validity": history(("n1", ANN), ("n2", ANN), wishes=("Ben",)),
    "one value per ballot": history(("n1", ANN), ("n2", Accept(A1, "Ben"))),
    "decided is chosen": history(("n1", ANN), decided=(ANN,)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_is_broken_by_its_own_history(name):
    assert broken(BROKEN[name]) == (name,)


def test_what_was_told_must_agree_with_what_is_chosen():
    assert "agreement" in broken(history(("n1", ANN), ("n2", ANN), decided=(BEN,)))


def test_a_good_history_breaks_nothing():
    again = Accept(B2, "Ann")
    assert (
        broken(history(("n1", ANN), ("n2", ANN), ("n2", again), ("n3", again), decided=(ANN,)))
        == ()
    )


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (Acceptor(B1, ANN), True),
        (Acceptor(B2, ANN), True),
        (Acceptor(A2, Accept(A2, "Ben")), True),
        (Acceptor(B1, Accept(B1, "Ben")), True),
        (Acceptor(A1, ANN), False),
        (Acceptor(B1, Accept(A1, "Zoe")), False),
    ],
    ids=["same", "promised", "voted", "voted as promised", "promise lowered", "voted below"],
)
def test_a_promise_is_kept_or_not(after, kept):
    assert promise_kept(Acceptor(B1, ANN), after) == kept


def test_a_first_vote_below_the_promise_breaks_it():
    assert not promise_kept(Acceptor(B1), Acceptor(B1, ANN))


def test_no_run_breaks_an_invariant():
    for run in runs():
        assert broken_in(run) == [], run.header


def test_no_step_of_a_run_breaks_a_promise():
    for run in runs():
        for before, step in befores(run):
            if run.role(step.node) == "acceptor":
                assert promise_kept(before, step.state), step


def test_runs_choose_something():
    """Without this, rules that never do anything would pass every test of safety."""
    without = [run.header.seed for run in runs() if not chosen_in(run)]
    assert len(without) <= len(runs()) // 50, without


def test_what_proposers_and_learners_believe_is_chosen_is_chosen():
    for run in runs():
        values = {one.proposal.value for one in chosen_in(run)}
        beliefs = {step.state.chosen.value for step in of(run, "learner") if step.state.chosen}
        beliefs |= {step.state.value for step in of(run, "proposer") if step.state.phase == "done"}
        assert beliefs <= values
