"""What can happen to a role (events), and what it asks of its driver (effects)."""

from dataclasses import dataclass
from typing import Literal

from .ballot import Ballot
from .messages import InSlot, Message, Value


# Events. An acceptor knows only one kind: a request, that is, a message.
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
