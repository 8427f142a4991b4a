"""What can happen to a role (events), and what it asks of its driver (effects)."""

from dataclasses import dataclass
from typing import Literal

from .ballot import Ballot
from .messages import Message, Value


# Events. An acceptor, a disk and a list know only one kind: a message.
@dataclass(frozen=True, slots=True)
class Propose:
    """The user asks for `value`."""

    value: Value


@dataclass(frozen=True, slots=True)
class Answer:
    """A message arrives from an acceptor, whose name is on the envelope only.

    Or from a disk or a list, which take the acceptor's place.
    """

    acceptor: str
    message: Message


@dataclass(frozen=True, slots=True)
class Timeout:
    """The wait asked for with `Wait(..., timer)` is over."""

    timer: Ballot


@dataclass(frozen=True, slots=True)
class Opened:
    """The node is up, for the first time or again. Only a client of a memory is told."""


# Effects: what a step asks its driver to do, in this order.
@dataclass(frozen=True, slots=True)
class Save:
    """Put `state` on stable storage; what follows must wait until it is safe there."""

    state: object


@dataclass(frozen=True, slots=True)
class Send:
    """Send `message`: to all "acceptors", to one node by its name, to the "sender"."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class Wait:
    """Wake me with `Timeout(timer)` unless I ask for another wait or decide before.

    How long is the driver's business; `why` tells it which patience is meant.
    """

    why: Literal["answers", "rival", "news"]
    timer: Ballot


@dataclass(frozen=True, slots=True)
class Decide:
    """Tell the user: `value` is chosen, in `ballot`."""

    ballot: Ballot
    value: Value


@dataclass(frozen=True, slots=True)
class Distrust:
    """Tell the user: this list is not used any more, and why."""

    name: str
    why: str


Effect = Save | Send | Wait | Decide | Distrust
