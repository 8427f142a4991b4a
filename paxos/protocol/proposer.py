"""The proposer: asks in phase 1, is bound by what it hears, asks again in phase 2."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from .ballot import NO_BALLOT, Ballot
from .messages import (
    Accept,
    Accepted,
    Answer,
    Decide,
    Effect,
    Prepare,
    Promise,
    Propose,
    Refused,
    Send,
    Timeout,
    Value,
    Wait,
)
from .quorum import Flexible

Step = tuple["Proposer", tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Proposer:
    """One client's attempts. Nothing here needs to survive a crash: it comes back as another."""

    identity: str  # drawn anew at every open; two proposers never share one
    quorums: Flexible
    phase: Literal["idle", "prepare", "decide", "wait", "done"] = "idle"
    wish: Value = None  # what the user asked for
    ballot: Ballot = NO_BALLOT
    highest: Ballot = NO_BALLOT  # the highest ballot heard of, ours or a rival's
    promises: tuple[tuple[str, Accept | None], ...] = ()  # (acceptor, its last vote)
    accepted: tuple[str, ...] = ()  # acceptors that voted in our ballot
    value: Value = None  # what we asked votes for; once done, what is chosen

    def promised_with(self, acceptor: str) -> bool:
        """Is phase 1 complete with this acceptor's promise?"""
        return self.quorums.reached(1, [acceptor, *(name for name, _ in self.promises)])

    def accepted_with(self, acceptor: str) -> bool:
        """Is phase 2 complete with this acceptor's vote?"""
        return self.quorums.reached(2, [acceptor, *self.accepted])


def step(p: Proposer, event: Propose | Answer | Timeout) -> Step:
    """React to one event ("Paxos Made Simple", section 2.2, phases 1a and 2a)."""
    match event:
        case Propose(wish) if p.phase == "idle":  # 1a: prepare
            return prepare(replace(p, wish=wish))

        case Timeout(timer) if timer == p.ballot and p.phase != "done":  # 1a: prepare, higher
            return prepare(p)

        # An answer to a ballot we have left says nothing about the one we are in.
        case Answer(_, Promise(b) | Accepted(b) | Refused(b)) if b != p.ballot:  # too late
            return p, ()

        case Answer(who, Promise(_, vote)) if p.phase == "prepare" and p.promised_with(who):
            return propose(note(p, who, vote))  # 2a: ask for votes

        case Answer(who, Promise(_, vote)) if p.phase == "prepare":  # count the promise
            return note(p, who, vote), ()

        case Answer(who, Accepted()) if p.phase == "decide" and p.accepted_with(who):  # chosen
            return replace(p, phase="done"), (Decide(p.ballot, p.value),)

        case Answer(who, Accepted()) if p.phase == "decide":  # count the vote
            return replace(p, accepted=tuple(sorted({*p.accepted, who}))), ()

        # Only a *higher* promise is a rival: a repeated request is refused by our own ballot.
        case Answer(_, Refused(_, rival)) if rival > p.ballot and p.phase in ("prepare", "decide"):
            p = replace(p, phase="wait", highest=max(p.highest, rival))  # step back
            return p, (Wait("rival", p.ballot),)

        case _:  # nothing to do
            return p, ()


def prepare(p: Proposer) -> Step:
    """Start a ballot above every ballot heard of; what was gathered for the old one is void."""
    b = max(p.ballot, p.highest).above(p.identity)
    p = replace(p, phase="prepare", ballot=b, highest=b, promises=(), accepted=(), value=None)
    return p, (Send("acceptors", Prepare(b)), Wait("answers", b))


def note(p: Proposer, acceptor: str, vote: Accept | None) -> Proposer:
    """Remember a promise; a repeated one counts once."""
    others = (promise for promise in p.promises if promise[0] != acceptor)
    return replace(p, promises=tuple(sorted((*others, (acceptor, vote)), key=lambda one: one[0])))


def propose(p: Proposer) -> Step:
    """Ask for votes, for the only value that is safe to ask for."""
    value = binding_value((vote for _, vote in p.promises), p.wish)
    p = replace(p, phase="decide", value=value)
    return p, (Send("acceptors", Accept(p.ballot, value)), Wait("answers", p.ballot))


def binding_value(votes: Iterable[Accept | None], wish: Value) -> Value:
    """The value of the *highest* vote in a quorum's promises; our own wish only if nobody voted.

    The rule that makes Paxos safe ("Paxos Made Simple", section 2.2, P2c): if a value is chosen,
    some acceptor of this quorum voted for it, and no higher vote is for anything else.
    """
    cast = [vote for vote in votes if vote is not None]
    return max(cast, key=lambda vote: vote.ballot).value if cast else wish
