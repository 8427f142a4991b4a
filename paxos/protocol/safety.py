"""What must be true of all roles together, whatever stands in the acceptors' place.

Seen by an eye that sees everything, and that no participant has.
"""

from dataclasses import dataclass

from . import acceptor, learner, proposer
from .messages import Accept, Value
from .quorum import Flexible


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
    voters = {
        vote: {who for who, its in history.votes if its == vote}
        for _, vote in history.votes
    }
    won = (vote for vote, who in voters.items() if history.quorums.reached(2, who))
    return tuple(sorted(won, key=lambda vote: vote.ballot))


def broken(history: History) -> tuple[str, ...]:
    """The names of the invariants that this history breaks; empty if all is well."""
    values = {vote.value for vote in chosen(history)}
    votes = {vote for _, vote in history.votes}
    checks = {
        "agreement": len(values | {told.value for told in history.decided}) <= 1,
        "validity": values <= set(history.wishes),
        "one value per ballot": len(votes) == len({vote.ballot for vote in votes}),
        "decided is chosen": set(history.decided) <= set(chosen(history)),
    }
    return tuple(name for name, holds in checks.items() if not holds)


def promise_kept(before: acceptor.Acceptor, after: acceptor.Acceptor) -> bool:
    """The invariant of one acceptor's step: promises rise, votes are not below them."""
    new = after.vote if after.vote != before.vote else None
    rises = after.promised >= before.promised
    return rises and (new is None or new.ballot >= before.promised)


def decision_stays(before: object, after: object) -> bool:
    """The invariant of one step of whoever is told: told once, told for good."""
    match before:
        case learner.Learner(chosen=known) if known is not None:
            return isinstance(after, learner.Learner) and after.chosen == known
        case proposer.Proposer(phase="done"):
            return after == before
    return True
