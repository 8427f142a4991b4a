"""Static Paxos: proposers, acceptors and learners exchange messages to choose a value.

What the roles do is in their own files. Here is what must be true of all of them
together, seen by an eye that sees everything and that no participant has.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from . import acceptor, learner, proposer
from .messages import Accept, Value
from .quorum import Flexible

STEPS = {"proposer": proposer.step, "acceptor": acceptor.step, "learner": learner.step}


def start(role: str, identity: str, quorums: Flexible) -> object:
    """The state in which a role opens, and comes back if nothing was saved."""
    match role:
        case "acceptor":
            return acceptor.Acceptor()
        case "learner":
            return learner.Learner(quorums)
    return proposer.Proposer(identity, quorums)


@dataclass(frozen=True, slots=True)
class History:
    """All that ever happened, as far as agreement is concerned."""

    quorums: Flexible
    wishes: tuple[Value, ...] = ()  # what users asked for
    votes: tuple[tuple[str, Accept], ...] = ()  # (acceptor, vote), as saved
    decided: tuple[Accept, ...] = ()  # what anyone was told is chosen


def chosen(history: History) -> tuple[Accept, ...]:
    """The proposals that a quorum voted for, lowest ballot first.

    A ballot counts the votes made *in that ballot*. Two votes for one value in two
    ballots are not a decision.
    """
    ballots = sorted({vote.ballot for _, vote in history.votes})
    return tuple(
        vote
        for ballot in ballots
        for vote in _in_ballot(history.votes, ballot)
        if history.quorums.reached(2, [who for who, v in history.votes if v == vote])
    )


def broken(history: History) -> tuple[str, ...]:
    """The names of the invariants that this history breaks; empty if all is well."""
    values = {vote.value for vote in chosen(history)}
    checks = {
        "agreement": len(values | {told.value for told in history.decided}) <= 1,
        "validity": values <= set(history.wishes),
        "one value per ballot": all(
            len(_in_ballot(history.votes, vote.ballot)) == 1
            for _, vote in history.votes
        ),
        "decided is chosen": set(history.decided) <= set(chosen(history)),
    }
    return tuple(name for name, holds in checks.items() if not holds)


def promise_kept(before: acceptor.Acceptor, after: acceptor.Acceptor) -> bool:
    """The invariant of one acceptor's step: promises rise, votes are not below them."""
    voted = after.vote is not None and after.vote != before.vote
    return after.promised >= before.promised and not (
        voted and after.vote is not None and after.vote.ballot < before.promised
    )


def _in_ballot(votes: Iterable[tuple[str, Accept]], ballot: object) -> list[Accept]:
    """The different proposals voted for in one ballot: more than one is a fault."""
    return list(dict.fromkeys(vote for _, vote in votes if vote.ballot == ballot))
