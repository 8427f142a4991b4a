"""What passes between the roles (messages), into a role (events), and out (effects).

Frozen dataclasses, not NamedTuples: tuples of different kinds with equal fields compare
equal, and an Accepted taken for a Promise would be a very quiet bug.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

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


# Events: what can happen to a proposer or a learner. To an acceptor, only requests.
@dataclass(frozen=True, slots=True)
class Propose:
    """The user asks for `value`."""

    value: Value


@dataclass(frozen=True, slots=True)
class Answer:
    """A message arrives from an acceptor, whose name is on the envelope only."""

    acceptor: str
    message: Message


@dataclass(frozen=True, slots=True)
class Timeout:
    """The wait asked for with `Wait(..., timer)` is over."""

    timer: Ballot | InSlot


# Effects: what a step asks its driver to do, in this order.
@dataclass(frozen=True, slots=True)
class Save:
    """Put `state` on stable storage; what follows must wait until it is safe there."""

    state: object


@dataclass(frozen=True, slots=True)
class Send:
    """Send `message`: to all acceptors, to all learners, or back to the sender."""

    to: Literal["acceptors", "learners", "sender"]
    message: Message


@dataclass(frozen=True, slots=True)
class Wait:
    """Wake me with `Timeout(timer)` unless I ask for another wait or decide before.

    How long is the driver's business; `why` tells it which patience is meant.
    """

    why: Literal["answers", "rival"]
    timer: Ballot | InSlot


@dataclass(frozen=True, slots=True)
class Decide:
    """Tell the user: `value` is chosen, in `ballot`."""

    ballot: Ballot
    value: Value


Effect = Save | Send | Wait | Decide
