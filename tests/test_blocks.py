"""A disk of blocks: whole blocks, one writer each, and what an acceptor with its memory would say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import A1, A2, B1, B2

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.blocks import Block, Disk, answers, join, store
from paxos.protocol.events import Save, Send
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Blocks,
    Chosen,
    InSlot,
    Prepare,
    Promise,
    Promises,
    Read,
    Refused,
    Write,
    Written,
)
from paxos.protocol.votes import Votes, fold

OLD = Block(Acceptor(A1))
NEW = Block(Acceptor(A2, Accept(A2, "Ann")))
BENS = Block(Acceptor(B1, Accept(B1, "Ben")))


def disk(**blocks):
    return Disk(tuple(sorted(blocks.items())))


# Read and write.


def test_a_disk_gives_back_what_was_written():
    now, effects = store(Disk(), Write("ann", OLD))
    assert now == disk(ann=OLD)
    assert effects == (Save(now), Send("sender", Written(OLD)))
    assert store(now, Read()) == (now, (Send("sender", Blocks((("ann", OLD),))),))


def test_one_block_is_written_and_all_are_read():
    now, _ = store(disk(ann=OLD), Write("ben", BENS))
    assert store(now, Read())[1] == (Send("sender", Blocks((("ann", OLD), ("ben", BENS)))),)


def test_blocks_are_in_order_of_their_owners_whoever_wrote_first():
    one, _ = store(disk(ben=BENS), Write("ann", OLD))
    other, _ = store(disk(ann=OLD), Write("ben", BENS))
    assert one == other


def test_a_newer_block_takes_the_place_of_the_older():
    assert store(disk(ann=OLD), Write("ann", NEW))[0] == disk(ann=NEW)


def test_an_old_write_never_overtakes_a_newer_one():
    """4.1 of the paper. The vote in ballot 2 would be gone, and a rival could not find it."""
    now, effects = store(disk(ann=NEW), Write("ann", OLD))
    assert now == disk(ann=NEW)
    assert effects == (Send("sender", Written(NEW)),), "it says what it has, and saves nothing"


def test_a_write_that_comes_twice_changes_nothing():
    now, effects = store(disk(ann=NEW), Write("ann", NEW))
    assert now == disk(ann=NEW)
    assert effects[-1] == Send("sender", Written(NEW))


def test_a_block_that_forgot_the_decision_is_an_old_one():
    known = Block(NEW.memory, Chosen(A2, "Ann"))
    assert store(disk(ann=NEW), Write("ann", known))[0] == disk(ann=known)
    assert store(disk(ann=known), Write("ann", NEW))[0] == disk(ann=known)


@given(st.permutations([OLD, NEW, Block(NEW.memory, Chosen(A2, "Ann"))]))
def test_in_whatever_order_the_writes_of_one_owner_come_the_newest_stays(writes):
    now = Disk()
    for block in writes:
        now, _ = store(now, Write("ann", block))
    assert now == disk(ann=Block(NEW.memory, Chosen(A2, "Ann")))


# Put together.


def test_of_one_owner_the_newer_block_has_all_that_the_older_had():
    assert join(OLD, NEW) == join(NEW, OLD) == NEW


def test_whoever_knows_the_decision_knows_it_for_all():
    known = Block(Acceptor(), Chosen(A1, "Ann"))
    assert join(known, BENS).chosen == join(BENS, known).chosen == Chosen(A1, "Ann")


def test_of_two_flags_one_stays_in_whatever_order_they_are_put_together():
    """A second life that did not find the first one's flag is told of its own ballot.

    Were the order to count, a third life that found the first flag would be refused by the disk
    that has the second, would not find out why, and would wait there for ever.
    """
    first, second = (Block(NEW.memory, Chosen(ballot, "Ann")) for ballot in (A1, A2))
    assert join(first, second) == join(second, first) == second
    assert store(disk(ann=first), Write("ann", second))[0] == disk(ann=second)
    now, effects = store(disk(ann=second), Write("ann", first))
    assert (now, effects) == (disk(ann=second), (Send("sender", Written(second)),))


# What an acceptor would answer.


def read(requests, mine="ann", **blocks):
    return answers(requests, mine, Blocks(disk(**blocks).blocks))


def test_nothing_on_the_disk_is_an_acceptor_that_was_never_asked():
    mine = Block(Acceptor(A1))
    assert read([Prepare(A1)], ann=mine) == [Promise(A1, None)]


def test_our_own_promise_does_not_stand_in_our_way_and_anothers_does():
    assert read([Prepare(A1)], ann=OLD, ben=Block(Acceptor())) == [Promise(A1, None)]
    assert read([Prepare(A1)], ann=OLD, ben=BENS) == [Refused(A1, B1)]


def test_a_promise_reports_the_highest_vote_of_all_owners_and_our_own_too():
    mine = Block(Acceptor(A2, Accept(A1, "Ann")))
    assert read([Prepare(A2)], ann=mine, ben=BENS) == [Promise(A2, Accept(B1, "Ben"))]
    assert read([Prepare(A2)], ann=mine) == [Promise(A2, Accept(A1, "Ann"))]


@pytest.mark.parametrize(
    ("others", "reply"),
    [(A1, Accepted(A2, "Ann")), (B1, Accepted(A2, "Ann")), (B2, Refused(A2, B2))],
    ids=["lower", "as low", "higher"],
)
def test_a_vote_counts_unless_a_larger_ballot_is_there(others, reply):
    rival = Block(Acceptor(others))
    assert read([Accept(A2, "Ann")], ann=NEW, ben=rival) == [reply]


def test_every_request_is_answered_by_the_disk_as_it_was_read():
    both = [Accept(A2, "Ann"), Accept(A1, "Ann")]
    assert read(both, ann=NEW) == [Accepted(A2, "Ann"), Refused(A1, A2)]  # a former life is above


def test_a_log_is_answered_slot_by_slot():
    bens = Block(Votes(B1, ((0, Accept(B1, "b")), (1, Accept(B1, "c")))))
    mine = Block(Votes(A2))
    prepare = [InSlot(1, Prepare(A2))]
    assert read(prepare, ann=mine, ben=bens) == [InSlot(1, Promises(A2, ((1, Accept(B1, "c")),)))]
    assert read([InSlot(0, Accept(A1, "a"))], ann=mine, ben=bens) == [InSlot(0, Refused(A1, A2))]


ballots = st.sampled_from([A1, B1, A2, B2])
requests = ballots.map(Prepare) | ballots.map(lambda ballot: Accept(ballot, ballot.proposer))


@given(st.lists(requests, max_size=6), st.sampled_from([Prepare(A2), Accept(A2, "ann")]))
def test_a_disk_refuses_what_an_acceptor_would_that_the_others_had_asked(history, mine):
    """Each owner has written into its block what it asked; our own promise counts for nothing."""
    blocks, asked_by_others = dict.fromkeys(("ann", "ben"), Acceptor()), Acceptor()
    for one in history:
        blocks[one.ballot.proposer], _ = fold(blocks[one.ballot.proposer], one)
        if one.ballot.proposer == "ben":
            asked_by_others, _ = fold(asked_by_others, one)
    ann = Block(fold(blocks["ann"], mine)[0])
    (reply,) = read([mine], ann=ann, ben=Block(blocks["ben"]))
    (expected,) = fold(asked_by_others, mine)[1]
    assert isinstance(reply, Refused) == isinstance(expected, Refused)
