"""The learner: listens to votes, and knows when a value is chosen."""

from dataclasses import dataclass, replace

from .ballot import Ballot
from .events import Answer, Decide, Effect
from .messages import Accept, Accepted, Chosen
from .quorum import Flexible


@dataclass(frozen=True, slots=True)
class Learner:
    """The votes heard of, and the proposal that a quorum of them made."""

    quorums: Flexible
    votes: tuple[tuple[Ballot, str], ...] = ()  # (ballot, acceptor)
    chosen: Accept | None = None

    def enough(self, ballot: Ballot, acceptor: str) -> bool:
        """Is the value of `ballot` chosen, with this acceptor's vote?

        By equal ballot, never by equal value: votes of different ballots for one value
        do not add up to a decision.
        """
        voters = [name for b, name in self.votes if b == ballot]
        return self.quorums.reached(2, [acceptor, *voters])


def step(me: Learner, event: Answer) -> tuple[Learner, tuple[Effect, ...]]:
    """Count one vote ("Paxos Made Simple", section 2.3)."""
    match event:
        case Answer(who, Accepted(b, value)) if not me.chosen and me.enough(b, who):
            now = replace(me, chosen=Accept(b, value), votes=())  # chosen
            return now, (Decide(b, value),)

        case Answer(who, Accepted(b)) if not me.chosen:  # count the vote
            return replace(me, votes=tuple(sorted({*me.votes, (b, who)}))), ()

        case Answer(_, Chosen(b, value)) if not me.chosen:  # somebody knows
            return replace(me, chosen=Accept(b, value), votes=()), (Decide(b, value),)

        case _:  # known already
            return me, ()
