"""What passes between the roles.

Frozen dataclasses, not NamedTuples: tuples of different kinds with equal fields compare
equal, and an Accepted taken for a Promise would be a very quiet bug.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from .ballot import Ballot

Value = Hashable  # what is agreed on; the rules compare ballots, never values


# Messages. The badge is the step of the protocol in which the message is sent.
@dataclass(frozen=True, slots=True)
class Prepare:
    """1a, proposer to acceptors: may I lead ballot `ballot`?"""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Accept:
    """2a, proposer to acceptors: vote for this. Once accepted it *is* the vote."""

    ballot: Ballot
    value: Value


@dataclass(frozen=True, slots=True)
class Promise:
    """1b, acceptor to proposer: I take part in nothing lower; my last vote, if any."""

    ballot: Ballot
    vote: Accept | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """2b, acceptor to proposer and learners: I voted for `value` in `ballot`."""

    ballot: Ballot
    value: Value


@dataclass(frozen=True, slots=True)
class Refused:
    """Acceptor to proposer: not in `ballot`; I have promised `promised`."""

    ballot: Ballot
    promised: Ballot


@dataclass(frozen=True, slots=True)
class InSlot:
    """A message, a timer or a value that belongs to one slot of a log (see `log`)."""

    slot: int
    content: Ballot | Value


@dataclass(frozen=True, slots=True)
class Command:
    """An entry. Who and which make it unique, so two equal texts stay two entries."""

    client: str
    number: int
    text: str


Reply = Promise | Accepted | Refused
Message = Prepare | Accept | Reply | InSlot
