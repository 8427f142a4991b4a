"""From one decision to an append-only log: one Static Paxos instance per slot.

The simplest honest form. Nothing is shared between slots, so every entry pays for both
phases.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from . import acceptor, learner, proposer
from .events import Answer, Decide, Effect, Propose, Save, Send, Timeout, Wait
from .messages import Command, InSlot, Value
from .quorum import Flexible


@dataclass(frozen=True, slots=True)
class Slots:
    """One state of a role for each slot that was touched. Slots count from 0."""

    fresh: object  # the state of an untouched slot
    used: tuple[tuple[int, object], ...] = ()  # (slot, state), in order of slot

    def at(self, slot: int) -> Any:
        return dict(self.used).get(slot, self.fresh)

    def put(self, slot: int, state: object) -> "Slots":
        used = {**dict(self.used), slot: state}
        return replace(self, used=tuple((slot, used[slot]) for slot in sorted(used)))


@dataclass(frozen=True, slots=True)
class Writer:
    """A client that wants its commands in the log, and so must find its end."""

    identity: str
    proposers: Slots
    pending: tuple[Command, ...] = ()  # ours, not in the log yet, oldest first
    count: int = 0  # our commands so far
    log: tuple[Value, ...] = ()  # the decided slots, as far as this client knows


Result = tuple[Writer, tuple[Effect, ...]]


def prefix(learners: Slots) -> tuple[Value, ...]:
    """The log as a learner knows it: decided slots up to the first gap."""
    log: list[Value] = []
    while (known := learners.at(len(log)).chosen) is not None:
        log.append(known.value)
    return tuple(log)


def step(w: Writer, event: Propose | Answer | Timeout) -> Result:
    """Propose the oldest pending command for the first slot not known to be decided."""
    match event:
        case Propose(text):  # append
            command = Command(w.identity, w.count, str(text))
            now = replace(w, pending=(*w.pending, command), count=w.count + 1)
            return (now, ()) if w.pending else ask(now)

        case _:  # an event of the slot's own Paxos
            proposers, effects = in_slots(proposer.step)(w.proposers, event)
            w = replace(w, proposers=proposers)
            for told in effects:
                if isinstance(told, Decide):
                    return decided(w, told)
            return w, effects


def ask(w: Writer) -> Result:
    """Run a proposer in the slot after our log. It may find it taken, and adopt."""
    slot = len(w.log)
    p, effects = proposer.step(w.proposers.at(slot), Propose(w.pending[0]))
    w = replace(w, proposers=w.proposers.put(slot, p))
    return w, tuple(wrap(slot, effect, w.proposers) for effect in effects)


def decided(w: Writer, told: Decide) -> Result:
    """Our slot is decided: for our command, or for another's and ours moves on."""
    value = told.value.content if isinstance(told.value, InSlot) else told.value
    ours = bool(w.pending) and w.pending[0] == value
    w = replace(w, log=(*w.log, value), pending=w.pending[1:] if ours else w.pending)
    w, effects = ask(w) if w.pending else (w, ())
    return w, (told, *effects) if ours else effects


def in_slots(step: Callable[..., Any]) -> Callable[[Slots, Any], Any]:
    """Make a step for many slots out of a step for one. No rule is added or changed."""

    def stepped(slots: Slots, event: Any) -> tuple[Slots, tuple[Effect, ...]]:
        slot, inner = unwrap(event)
        state, effects = step(slots.at(slot), inner)
        slots = slots.put(slot, state)
        return slots, tuple(wrap(slot, effect, slots) for effect in effects)

    return stepped


def unwrap(event: Any) -> tuple[int, Any]:
    """The slot an event belongs to, and the event without it."""
    match event:
        case Answer(who, InSlot(slot, message)):
            return slot, Answer(who, message)  # type: ignore[arg-type]
        case Timeout(InSlot(slot, timer)):
            return slot, Timeout(timer)  # type: ignore[arg-type]
        case InSlot(slot, request):
            return slot, request
    raise ValueError(f"{event!r} belongs to no slot")


def wrap(slot: int, effect: Effect, slots: Slots) -> Effect:
    """The same effect, marked with its slot. What is saved is every slot at once."""
    match effect:
        case Send(to, message):
            return Send(to, InSlot(slot, message))
        case Wait(why, timer):
            return Wait(why, InSlot(slot, timer))
        case Decide(ballot, value):
            return Decide(ballot, InSlot(slot, value))
        case Save():
            return Save(slots)


STEPS = {
    "proposer": step,
    "acceptor": in_slots(acceptor.step),
    "learner": in_slots(learner.step),
}


def start(role: str, identity: str, quorums: Flexible) -> Slots | Writer:
    """The state in which a role opens."""
    match role:
        case "acceptor":
            return Slots(acceptor.Acceptor())
        case "learner":
            return Slots(learner.Learner(quorums))
    return Writer(identity, Slots(proposer.Proposer(identity, quorums)))
