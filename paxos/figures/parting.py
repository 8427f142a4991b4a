"""Where a run parts from the rules: the first step in it that the rules as they are would not take.

Each step is compared with what the rules make of the same state and the same event. A difference
that others notice, in what is said or kept, counts before one in what a node holds for itself.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from ..protocol.acceptor import Acceptor
from ..protocol.ballot import Ballot
from ..protocol.blocks import Block
from ..protocol.events import Decide, Effect, Save, Send
from ..protocol.kinds import PROTOCOLS
from ..protocol.learner import Learner
from ..protocol.lists import Entry, Genesis, View
from ..protocol.messages import Accept, Command
from ..trace import Open, Step, Trace, text
from .words import message


class Parting(NamedTuple):
    """The record at which it happens, and what the rules would have done there, in words."""

    number: int
    rule: str


class Deed(NamedTuple):
    """What others notice of a step: what was said, and what a crash would leave."""

    said: tuple[Effect, ...]
    saved: Any


def parting(trace: Trace) -> Parting | None:
    """The first step that breaks a rule; None for a run of the rules as they are."""
    states: dict[str, Any] = {}
    identities: set[str] = set()
    steps = PROTOCOLS[trace.header.protocol].steps
    quiet: Parting | None = None
    for index, record in enumerate(trace.records):
        if isinstance(record, Open):
            if record.node in states and getattr(record.state, "block", None):
                return Parting(index, "reads its blocks first")
            states[record.node] = record.state
            identity = getattr(getattr(record.state, "proposer", record.state), "identity", "")
            if identity in identities:
                return Parting(index, "comes back as another")
            identities |= {identity} - {""}
        elif isinstance(record, Step):
            before, states[record.node] = states[record.node], record.state
            right, effects = steps[trace.role(record.node)](before, record.event)
            done = record.done if record.done < len(record.effects) else None  # cut by a crash
            did, due = deed(record.effects[:done]), deed(effects[:done])
            if did != due:
                return Parting(index, words(trace, did, due))
            if record.state != right and quiet is None:
                quiet = Parting(index, held(trace, record.state, right))
    return quiet


def deed(effects: Sequence[Effect]) -> Deed:
    """These effects, as others notice them."""
    saved = [effect.state for effect in effects if isinstance(effect, Save)]
    said = tuple(effect for effect in effects if isinstance(effect, Send | Decide))
    return Deed(said, saved[-1] if saved else None)


def words(trace: Trace, did: Deed, due: Deed) -> str:
    """What the rules would have done instead."""
    if did.saved is None and due.saved is not None and due.said in ((), did.said):
        return "saves first"
    if did.said == due.said:
        return held(trace, did.saved, due.saved)
    said = (message(trace, one.message) for one in due.said if isinstance(one, Send))
    told = [f"tells of {text(one.value)}" for one in due.said if isinstance(one, Decide)]
    return ", ".join(dict.fromkeys(said)) or ", ".join(told) or "says nothing"


def held(trace: Trace, did: Any, due: Any) -> str:
    """What a node would hold instead, field by field."""
    both = [(one.name, getattr(did, one.name), getattr(due, one.name)) for one in fields(due)]
    said = list[str]()
    for name, a, b in both:
        if name == "views" and a != b:  # of many lists, those that are read otherwise
            b = tuple(view for view in b if view not in a)
        inner = is_dataclass(b) and type(a) is type(b) and not isinstance(b, Accept)
        said += [] if a == b else [held(trace, a, b) if inner else f"{name}: {shown(trace, b)}"]
    return ", ".join(said)


def shown(trace: Trace, value: Any) -> str:
    """A value of a field in words."""
    match value:
        case Ballot():
            return trace.short(value)
        case Accept(ballot, what):
            return f"{trace.short(ballot)} {text(what)}"
        case Learner(_, votes, known):
            return shown(trace, known or votes)
        case Command():
            return text(value)
        case () | None:
            return "none"
        case View(trouble=str(why)) if why:
            return f"unused, {why}"
        case View(memory=memory):
            return shown(trace, memory)
        case Acceptor(promised, vote):
            return f"promised {shown(trace, promised)}, voted {shown(trace, vote)}"
        case Genesis():
            return "genesis"
        case Entry(content=content):
            return message(trace, content)
        case tuple():
            return " ".join(shown(trace, one) for one in value)
        case Block():
            return "empty" if value == Block(type(value.memory)()) else "block"
    return str(value)
