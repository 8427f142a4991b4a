"""The proposer: asks in phase 1, is bound by what it hears, asks again in phase 2."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from .ballot import NO_BALLOT, Ballot
from .events import Answer, Decide, Effect, Propose, Send, Timeout, Wait
from .messages import Accept, Accepted, Prepare, Promise, Refused, Value
from .quorum import Flexible

Result = tuple["Proposer", tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Proposer:
    """One client's attempts. Nothing survives a crash: it comes back as another."""

    identity: str  # drawn anew at every open; two proposers never share one
    quorums: Flexible
    phase: Literal["idle", "prepare", "decide", "wait", "done"] = "idle"
    wish: Value = None  # what the user asked for
    ballot: Ballot = NO_BALLOT
    highest: Ballot = NO_BALLOT  # ours, or the rival's that made us step back
    promises: tuple[tuple[str, Accept | None], ...] = ()  # (acceptor, its last vote)
    accepted: tuple[str, ...] = ()  # acceptors that voted in our ballot
    value: Value = None  # what we asked votes for; once done, what is chosen

    @property
    def asking(self) -> bool:
        """Are we waiting for acceptors to answer?"""
        return self.phase in ("prepare", "decide")

    @property
    def waits(self) -> bool:
        """Have we stepped back before a rival?"""
        return self.phase == "wait"

    def enough(self, phase: Literal[1, 2], acceptor: str) -> bool:
        """Is the phase complete with this acceptor's answer?"""
        heard = [name for name, _ in self.promises] if phase == 1 else self.accepted
        return self.quorums.reached(phase, [acceptor, *heard])


def step(p: Proposer, event: Propose | Answer | Timeout) -> Result:
    """React to one event ("Paxos Made Simple", section 2.2, phases 1a and 2a)."""
    match event:
        case Propose(wish) if p.phase == "idle":  # 1a: prepare
            return prepare(replace(p, wish=wish))

        case Timeout(timer) if timer == p.ballot and p.phase != "done":
            return prepare(p)  # 1a: prepare, higher

        # An answer to a ballot we have left says nothing about the one we are in.
        case Answer(_, Promise(b) | Accepted(b) | Refused(b)) if b != p.ballot:
            return p, ()  # too late

        case Answer(who, Promise(_, vote)) if p.phase == "prepare" and p.enough(1, who):
            return propose(note(p, who, vote))  # 2a: ask for votes

        case Answer(who, Promise(_, vote)) if p.phase == "prepare":  # count the promise
            return note(p, who, vote), ()

        case Answer(who, Accepted()) if p.phase == "decide" and p.enough(2, who):
            p = replace(p, phase="done", accepted=())  # chosen
            return p, (Decide(p.ballot, p.value),)

        case Answer(who, Accepted()) if p.phase == "decide":  # count the vote
            return replace(p, accepted=tuple(sorted({*p.accepted, who}))), ()

        # Only a *higher* promise is a rival: a repeated request is refused by our own.
        case Answer(_, Refused(_, rival)) if rival > p.ballot and p.asking:
            p = replace(p, phase="wait", highest=rival)  # step back
            return p, (Wait("rival", p.ballot),)

        case _:  # nothing to do
            return p, ()


def prepare(p: Proposer) -> Result:
    """Start a ballot above every other heard of; what was gathered before is void."""
    b = p.highest.above(p.identity)
    p = replace(p, phase="prepare", ballot=b, highest=b)
    p = replace(p, promises=(), accepted=(), value=None)
    return p, (Send("acceptors", Prepare(b)), Wait("answers", b))


def note(p: Proposer, acceptor: str, vote: Accept | None) -> Proposer:
    """Remember a promise; a repeated one counts once."""
    others = (promise for promise in p.promises if promise[0] != acceptor)
    promises = sorted([*others, (acceptor, vote)], key=lambda promise: promise[0])
    return replace(p, promises=tuple(promises))


def propose(p: Proposer) -> Result:
    """Ask for votes, for the only value that is safe to ask for."""
    value = binding_value((vote for _, vote in p.promises), p.wish)
    p = replace(p, phase="decide", value=value, promises=())  # they have served
    return p, (Send("acceptors", Accept(p.ballot, value)), Wait("answers", p.ballot))


def binding_value(votes: Iterable[Accept | None], wish: Value) -> Value:
    """The value of the *highest* vote in a quorum's promises; our wish if none.

    The rule that makes Paxos safe ("Paxos Made Simple", section 2.2, P2c): if a value
    is chosen, an acceptor of this quorum voted for it, and no higher vote is for
    another.
    """
    cast = [vote for vote in votes if vote is not None]
    return max(cast, key=lambda vote: vote.ballot).value if cast else wish
