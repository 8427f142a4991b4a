"""What passes between the roles, with the badge of the step in which it is sent.

Frozen dataclasses, not NamedTuples: tuples of different kinds with equal fields compare
equal, and an Accepted taken for a Promise would be a very quiet bug.
"""

from dataclasses import dataclass
from typing import Any

from .ballot import Ballot

END = -1  # for Append.at: wherever the list ends, and tell me where
Value = Any  # what is agreed on, hashable; the rules compare ballots, never values


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
class Chosen:
    """From somebody who was told: `value` is chosen, in `ballot`."""

    ballot: Ballot
    value: Value


@dataclass(frozen=True, slots=True)
class InSlot:
    """A message or a value that belongs to one slot of a log."""

    slot: int
    content: Value


@dataclass(frozen=True, slots=True)
class Promises:
    """1b for all slots from one on: my last votes there, each with its slot."""

    ballot: Ballot
    votes: tuple[tuple[int, Accept], ...]


@dataclass(frozen=True, slots=True)
class Command:
    """An entry. Who and which make it unique, so two equal texts stay two entries."""

    client: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Write:
    """To a disk: my block is now this."""

    owner: str
    block: Value


@dataclass(frozen=True, slots=True)
class Written:
    """From a disk: it has this block."""

    block: Value


@dataclass(frozen=True, slots=True)
class Read:
    """To a disk: show me everybody's block."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """From a disk: all its blocks, each with its owner."""

    blocks: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Append:
    """To a list: put this at the end; with `at`, only if it then stands there."""

    entry: Value
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """From a list: it was appended, at this position if the service tells."""

    entry: Value
    position: int | None = None
    done: bool = True  # False: another entry stands where it was asked to be


@dataclass(frozen=True, slots=True)
class Fetch:
    """To a list: show me what stands from position `after` on."""

    after: int


@dataclass(frozen=True, slots=True)
class Entries:
    """From a list: what stands from position `after` on."""

    after: int
    entries: tuple[Value, ...]


Request = Prepare | Accept
Reply = Promise | Accepted | Refused | Promises | Chosen
Stored = Write | Written | Read | Blocks | Append | Appended | Fetch | Entries
Message = Request | Reply | InSlot | Stored | Command
