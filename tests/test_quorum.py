"""Quorums: every phase-1 quorum meets every phase-2 quorum, or the world is refused."""

from itertools import combinations, product

import pytest

from paxos.protocol.quorum import Flexible, majority

SIZES = [(of, one, two) for of in range(1, 6) for one, two in product(range(1, of + 1), repeat=2)]


@pytest.mark.parametrize(("of", "one", "two"), SIZES)
def test_sizes_are_allowed_exactly_when_all_their_quorums_meet(of, one, two):
    meet = all(
        set(first) & set(second)
        for first in combinations(range(of), one)
        for second in combinations(range(of), two)
    )
    if meet:
        assert Flexible(of, one, two).of == of
    else:
        with pytest.raises(ValueError, match="can miss each other"):
            Flexible(of, one, two)


def test_quorums_that_can_miss_each_other_are_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"2 \+ 2 must be more than 4\. Raise one"):
        Flexible(4, 2, 2)


def test_nobody_to_vote_is_refused():
    with pytest.raises(ValueError, match=r"0 acceptors: nobody could vote\. Use at least 1\."):
        Flexible(0, 1, 1)


@pytest.mark.parametrize(("one", "two"), [(0, 3), (3, 0), (4, 3), (3, 4), (-1, 3)])
def test_a_quorum_has_at_least_one_and_at_most_all_members(one, two):
    with pytest.raises(ValueError, match="at least 1 and at most 3 members"):
        Flexible(3, one, two)


def test_each_phase_has_its_own_size():
    quorums = Flexible(4, 3, 2)
    assert quorums.reached(2, ["n1", "n2"])
    assert not quorums.reached(1, ["n1", "n2"])
    assert quorums.reached(1, ["n1", "n2", "n3"])
    assert not quorums.reached(2, ["n1"])


def test_an_acceptor_counts_once_however_often_it_is_named():
    assert not majority(3).reached(1, ["n1", "n1", "n1"])


@pytest.mark.parametrize("of", range(1, 10))
def test_a_majority_survives_as_many_crashes_as_can_be(of):
    quorums = majority(of)
    assert of - quorums.phase1 == of - quorums.phase2 == (of - 1) // 2
