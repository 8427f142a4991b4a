"""What an acceptor of a log remembers, and what several memories amount to when put together."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import A1, A2, B1, B2

from paxos.protocol import acceptor
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import NO_BALLOT
from paxos.protocol.events import Save, Send
from paxos.protocol.messages import Accept, Accepted, InSlot, Prepare, Promise, Promises, Refused
from paxos.protocol.votes import Votes, fold, in_order, union, vote

ballots = st.sampled_from([A1, B1, A2, B2])
plain = ballots.map(Prepare) | ballots.map(lambda ballot: Accept(ballot, ballot.proposer))
slotted = st.builds(InSlot, st.integers(0, 2), plain)


def told(mine, request):
    """The reply, out of its slot."""
    ((reply,),) = (fold(mine, request)[1],)
    return reply.slot, reply.content


def after(requests, memory):
    return reduce(lambda mine, request: fold(mine, request)[0], requests, memory)


USED = Votes(B1, ((0, Accept(A1, "a")), (2, Accept(B1, "c"))))


# The acceptor of a log.


def test_a_promise_holds_for_every_slot():
    mine, _ = vote(Votes(), InSlot(5, Prepare(B1)))
    assert mine.promised == B1
    assert told(mine, InSlot(0, Accept(A1, "a"))) == (0, Refused(A1, B1))


def test_a_promise_reports_the_votes_of_every_slot_from_one_on():
    assert told(USED, InSlot(0, Prepare(A2))) == (0, Promises(A2, USED.votes))
    assert told(USED, InSlot(1, Prepare(A2))) == (1, Promises(A2, USED.votes[1:]))
    assert told(USED, InSlot(3, Prepare(A2))) == (3, Promises(A2, ()))


def test_a_vote_in_one_slot_leaves_the_votes_of_the_others():
    mine, _ = vote(USED, InSlot(1, Accept(A2, "b")))
    assert mine.votes == ((0, Accept(A1, "a")), (1, Accept(A2, "b")), (2, Accept(B1, "c")))


def test_a_vote_in_one_slot_raises_the_promise_of_all():
    mine, _ = vote(USED, InSlot(1, Accept(A2, "b")))
    assert told(mine, InSlot(0, Accept(B1, "a"))) == (0, Refused(B1, A2))


def test_what_is_saved_is_all_of_it_and_before_it_is_told():
    for request in (InSlot(1, Prepare(A2)), InSlot(1, Accept(A2, "b"))):
        mine, effects = vote(USED, request)
        assert effects[0] == Save(mine)
        assert all(isinstance(effect, Send) for effect in effects[1:])


def test_a_refusal_saves_nothing():
    mine, effects = vote(USED, InSlot(0, Prepare(A1)))
    assert (mine, effects) == (USED, (Send("sender", InSlot(0, Refused(A1, B1))),))


def test_learners_hear_a_vote_in_its_slot():
    _, effects = vote(Votes(), InSlot(4, Accept(A1, "a")))
    assert effects[-1] == Send("learners", InSlot(4, Accepted(A1, "a")))


@given(st.lists(plain, max_size=8))
def test_in_one_slot_alone_it_is_the_acceptor_of_one_decision(requests):
    mine = after([InSlot(0, request) for request in requests], Votes())
    alone = after(requests, Acceptor())
    assert (mine.promised, dict(mine.votes).get(0)) == (alone.promised, alone.vote)


@given(st.lists(slotted, max_size=10))
def test_every_request_gets_one_reply_in_its_own_slot(requests):
    mine = Votes()
    for request in requests:
        mine, replies = fold(mine, request)
        assert [reply.slot for reply in replies] == [request.slot]
        assert replies[0].content.ballot == request.content.ballot


@given(st.lists(slotted, max_size=10))
def test_slots_stay_in_order(requests):
    slots = [slot for slot, _ in after(requests, Votes()).votes]
    assert slots == sorted(set(slots))


def test_a_dictionary_by_slot_is_put_in_order():
    assert in_order({2: "c", 0: "a"}) == ((0, "a"), (2, "c"))


# Folding.


@given(st.lists(plain, max_size=8))
def test_a_fold_over_one_decision_is_the_acceptor_itself(requests):
    memory, told = Acceptor(), []
    for request in requests:
        memory, replies = fold(memory, request)
        told += replies
    assert (memory, tuple(told)) == acceptor.replay(requests)


def test_a_fold_gives_the_senders_reply_once_and_the_learners_none():
    assert fold(Acceptor(), Accept(A1, "a"))[1] == [Accepted(A1, "a")]
    assert fold(Acceptor(), Prepare(A1))[1] == [Promise(A1, None)]


# Put together: what disks do with blocks.

memories = st.lists(plain, max_size=6).map(lambda requests: after(requests, Acceptor()))
logs = st.lists(slotted, max_size=8).map(lambda requests: after(requests, Votes()))
several = st.lists(memories, min_size=1, max_size=4) | st.lists(logs, min_size=1, max_size=4)


@given(several)
def test_the_union_has_the_highest_promise_and_the_highest_vote_of_every_slot(memories):
    whole = union(memories)
    assert whole.promised == max(memory.promised for memory in memories)
    if isinstance(whole, Acceptor):
        cast = [memory.vote for memory in memories if memory.vote]
        assert whole.vote == max(cast, key=lambda its: its.ballot, default=None)
    else:
        for slot in range(3):
            cast = [its for memory in memories for n, its in memory.votes if n == slot]
            highest = max(cast, key=lambda its: its.ballot, default=None)
            assert dict(whole.votes).get(slot) == highest


@given(several, st.randoms())
def test_the_order_of_what_is_put_together_leaves_no_mark(memories, chance):
    shuffled = list(memories)
    chance.shuffle(shuffled)
    assert union(shuffled) == union(memories)


@given(several)
def test_what_is_put_together_twice_counts_once(memories):
    whole = union(memories)
    assert union([whole, *memories]) == union([whole]) == whole


@given(several)
def test_it_does_not_matter_what_is_put_together_first(memories):
    halves = union(memories[:1]), union(memories[1:] or memories[:1])
    assert union(halves) == union(memories)


@pytest.mark.parametrize("blank", [Acceptor(), Votes()])
def test_who_remembers_nothing_adds_nothing(blank):
    assert union([blank]) == blank
    assert blank.promised == NO_BALLOT
    used = after([Prepare(B1)], Acceptor()) if isinstance(blank, Acceptor) else USED
    assert union([blank, used]) == union([used, blank]) == used
