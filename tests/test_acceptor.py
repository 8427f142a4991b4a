"""The acceptor's three rules, and that nothing else matters to it."""

from itertools import product

import pytest
from worlds import A1, A2, B1, B2

from paxos.protocol.acceptor import Acceptor, replay, step
from paxos.protocol.events import Save, Send
from paxos.protocol.messages import Accept, Accepted, Prepare, Promise, Refused
from paxos.protocol.safety import promise_kept

VOTED = Acceptor(promised=B1, vote=Accept(B1, "Ben"))


def reply(acceptor, request):
    """The one message that goes back to the sender."""
    [message] = [effect.message for effect in step(acceptor, request)[1] if goes_back(effect)]
    return message


def goes_back(effect):
    return isinstance(effect, Send) and effect.to == "sender"


def test_a_fresh_acceptor_promises_anything():
    after, _ = step(Acceptor(), Prepare(A1))
    assert after == Acceptor(promised=A1, vote=None)
    assert reply(Acceptor(), Prepare(A1)) == Promise(A1, None)


def test_a_promise_tells_the_last_vote_and_keeps_it():
    after, _ = step(VOTED, Prepare(A2))
    assert after == Acceptor(promised=A2, vote=VOTED.vote)
    assert reply(VOTED, Prepare(A2)) == Promise(A2, Accept(B1, "Ben"))


@pytest.mark.parametrize("ballot", [A1, B1], ids=["lower", "equal"])
def test_only_a_higher_ballot_gets_a_promise(ballot):
    assert step(VOTED, Prepare(ballot)) == (VOTED, (Send("sender", Refused(ballot, B1)),))


@pytest.mark.parametrize("ballot", [B1, A2], ids=["equal", "higher"])
def test_a_vote_goes_to_any_ballot_that_no_promise_shuts_out(ballot):
    after, _ = step(Acceptor(promised=B1), Accept(ballot, "Ann"))
    assert after.vote == Accept(ballot, "Ann")
    assert reply(Acceptor(promised=B1), Accept(ballot, "Ann")) == Accepted(ballot, "Ann")


def test_no_vote_goes_below_a_promise():
    request = Accept(A1, "Ann")
    assert step(VOTED, request) == (VOTED, (Send("sender", Refused(A1, B1)),))


def test_a_vote_raises_the_promise():
    after, _ = step(VOTED, Accept(A2, "Ann"))
    assert after.promised == A2


def test_a_vote_is_told_to_the_proposer_and_to_the_learners():
    _, effects = step(Acceptor(), Accept(A1, "Ann"))
    told = [(effect.to, effect.message) for effect in effects if isinstance(effect, Send)]
    assert told == [("sender", Accepted(A1, "Ann")), ("learners", Accepted(A1, "Ann"))]


@pytest.mark.parametrize("request_", [Prepare(A2), Accept(A2, "Ann")], ids=["promise", "vote"])
def test_whatever_is_promised_or_voted_is_saved_before_it_is_told(request_):
    after, effects = step(VOTED, request_)
    assert effects[0] == Save(after)
    assert not any(isinstance(effect, Save) for effect in effects[1:])


def test_a_refusal_changes_and_saves_nothing():
    for request_ in (Prepare(A1), Accept(A1, "Ann")):
        after, effects = step(VOTED, request_)
        assert after is VOTED
        assert not any(isinstance(effect, Save) for effect in effects)


def test_every_request_gets_exactly_one_reply_and_it_names_the_ballot():
    for acceptor, request_ in product(REACHABLE, REQUESTS):
        assert reply(acceptor, request_).ballot == request_.ballot


def test_a_repeated_request_changes_nothing():
    for acceptor, request_ in product(REACHABLE, REQUESTS):
        once, _ = step(acceptor, request_)
        assert step(once, request_)[0] == once


def test_promises_only_rise_and_votes_are_never_below_them():
    for acceptor, request_ in product(REACHABLE, REQUESTS):
        after, _ = step(acceptor, request_)
        assert promise_kept(acceptor, after)
        assert after.vote is None or after.vote.ballot <= after.promised


REQUESTS = [Prepare(b) for b in (A1, B1, A2, B2)] + [
    Accept(ballot, value) for ballot, value in product((A1, B1, A2, B2), ("Ann", "Ben"))
]


def reachable():
    """Every state that any sequence of these requests leads to."""
    found, fresh = {Acceptor()}, [Acceptor()]
    while fresh:
        acceptor = fresh.pop()
        after = {step(acceptor, request_)[0] for request_ in REQUESTS} - found
        found |= after
        fresh += after
    return sorted(found, key=repr)


REACHABLE = reachable()


def test_there_are_as_many_states_as_one_can_count_by_hand():
    """Promised k of 4 ballots with no vote, or a vote for one of 2 values in a ballot up to it."""
    assert len(REACHABLE) == 1 + 4 + 2 * (1 + 2 + 3 + 4)


def test_a_replay_is_the_memory_at_the_end_and_the_reply_to_each_request():
    memory, replies = replay([Prepare(A1), Accept(A1, "Ann"), Prepare(B1), Accept(A1, "Ann")])
    assert memory == Acceptor(B1, Accept(A1, "Ann"))
    assert replies == (
        *(Promise(A1, None), Accepted(A1, "Ann")),
        *(Promise(B1, Accept(A1, "Ann")), Refused(A1, B1)),
    )


def test_a_replay_can_be_carried_on():
    for first, second in product(REQUESTS[:4], REQUESTS):
        memory, replies = replay([first])
        end, more = replay([second], memory)
        assert (end, (*replies, *more)) == replay([first, second])


def test_a_replay_of_nothing_changes_nothing():
    assert replay([], VOTED) == (VOTED, ())
