"""Ballots: a total order in which nothing is ever equal by accident."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from paxos.protocol.ballot import NO_BALLOT, Ballot

ballots = st.builds(Ballot, st.integers(0, 5), st.sampled_from(["ann", "ben", "cleo"]))


def test_the_round_decides_first():
    assert Ballot(2, "ann") > Ballot(1, "zoe")


def test_the_proposer_decides_between_equal_rounds():
    assert Ballot(1, "ann") < Ballot(1, "ben")


def test_two_proposers_never_share_a_ballot():
    assert NO_BALLOT.above("ann") != NO_BALLOT.above("ben")


@given(ballots)
def test_no_ballot_is_below_every_ballot_in_use(ballot):
    assert ballot.above("ann") > NO_BALLOT


@given(ballots, st.sampled_from(["a", "ann", "zoe"]))
def test_the_next_ballot_is_higher_whoever_takes_it(ballot, proposer):
    assert ballot.above(proposer) > ballot
    assert ballot.above(proposer).proposer == proposer


@given(st.sets(ballots, min_size=3, max_size=3))
def test_any_two_different_ballots_are_ordered_one_way(three):
    for low, middle, high in permutations(three):
        assert (low < middle) != (middle < low)
        if low < middle < high:
            assert low < high
