"""The acceptor: three rules, one `case` each. This is the whole memory of Paxos."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .ballot import NO_BALLOT, Ballot
from .events import Effect, Save, Send
from .messages import Accept, Accepted, Prepare, Promise, Refused


@dataclass(frozen=True, slots=True)
class Acceptor:
    """What an acceptor never forgets: its highest promise and its last vote."""

    promised: Ballot = NO_BALLOT
    vote: Accept | None = None


Result = tuple[Acceptor, tuple[Effect, ...]]


def step(acceptor: Acceptor, request: Prepare | Accept) -> Result:
    """Answer one request ("Paxos Made Simple", section 2.2, phases 1b and 2b).

    Save comes before Send: a promise that a crash can take back was never a promise.
    """
    match request:
        case Prepare(ballot) if ballot > acceptor.promised:  # 1b: promise
            now = replace(acceptor, promised=ballot)
            return now, (Save(now), Send("sender", Promise(ballot, acceptor.vote)))

        # `>=`: a promise shuts out lower ballots, not its own. Without the guard a vote
        # slips in below a promise, unseen by the proposer who holds that promise: two
        # values get chosen.
        case Accept(ballot, value) if ballot >= acceptor.promised:  # 2b: vote
            # A vote also raises the promise, or a lower ballot could overwrite it.
            now = Acceptor(promised=ballot, vote=request)
            news = Accepted(ballot, value)
            return now, (Save(now), Send("sender", news), Send("learners", news))

        case Prepare(ballot) | Accept(ballot):  # refuse
            return acceptor, (Send("sender", Refused(ballot, acceptor.promised)),)


def replay(
    requests: Iterable[Prepare | Accept], memory: Acceptor = Acceptor()
) -> tuple[Acceptor, tuple[Promise | Accepted | Refused, ...]]:
    """Fold the rule over requests: the memory at the end, and the reply to each.

    Whoever can read what an acceptor was asked needs no acceptor to know its answers.
    """
    replies: list[Any] = []
    for request in requests:
        memory, effects = step(memory, request)
        replies += [
            e.message for e in effects if isinstance(e, Send) and e.to == "sender"
        ]
    return memory, tuple(replies)
