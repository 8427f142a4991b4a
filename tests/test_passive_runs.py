"""Passive Paxos in whole runs: the states of a client, and what a decision stands on."""

from worlds import befores, runs

from paxos.protocol.events import Decide
from paxos.protocol.messages import Accept

STATES = {
    *(("offline", "follower"), ("follower", "proposer"), ("proposer", "follower")),
    *(("follower", "offline"), ("proposer", "offline"), ("offline", "proposer")),
}


def test_a_client_goes_through_the_states_of_the_outline_and_all_its_ways_are_seen():
    seen = set()
    for run in runs("passive") + runs("passive-log"):
        for before, now in befores(run):
            if run.role(now.node) == "client" and before.state != now.state.state:
                seen.add((before.state, now.state.state))
    assert seen == STATES


def test_whoever_was_told_could_read_it_in_a_majority_of_lists():
    """A decision is a pure function of the lists: every Decide is a quorum of votes in views."""
    counted = 0
    for run in runs("passive"):
        for before, now in befores(run):
            if run.role(now.node) != "client" or before.member.settled:
                continue
            for one in now.effects:
                if isinstance(one, Decide):
                    vote, counted = Accept(one.ballot, one.value), counted + 1
                    stands = [name for name, view in now.state.views if has(view, vote)]
                    assert len(stands) >= run.header.quorums.phase2
    assert counted > 100


def has(view, request):
    return any(getattr(thing, "content", None) == request for thing in view.things)
