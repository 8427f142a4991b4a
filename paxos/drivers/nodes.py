"""What a world is made of: nodes that react to events, and what must hold of them."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

Event = tuple[str, Any]  # (sender, message); the sender of what a node does unprompted is ""
Record = Mapping[str, frozenset[Any]]  # what each node has put on record


class Beyond(Enum):
    """What a step returns that this world has no room for."""

    BEYOND = "beyond"


BEYOND = Beyond.BEYOND


def nothing(*_: Any) -> Iterable[Any]:
    """No event, no crash."""
    return ()


@dataclass(frozen=True)
class Node:
    """One participant. Its state, its messages and its effects must be hashable.

    `step(state, event)` returns the new state and a list of effects. A pair is a message: (name or
    address of a node, message). Any other effect goes on record, for the invariants to judge. BEYOND
    instead of a result means that the world ends there: no such step.

    `crashes(state, event)` gives the crashes in the middle of that step, or for the event None
    between two steps: (number of effects done, state when it is back, effects).
    """

    state: Hashable
    step: Callable[[Any, Event], tuple[Any, Iterable[Any]] | Beyond]
    alone: Callable[[Any], Iterable[Any]] = nothing  # what it may do unprompted
    crashes: Callable[[Any, Event | None], Iterable[tuple[int, Any, Iterable[Any]]]] = nothing
    address: str = ""  # a name that it shares with others
    hears: tuple[str, ...] | None = None  # who may speak to it; None: everybody, itself too
    forgets: bool = False  # what it ignores now it ignores for ever, and after a crash
    kept: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict)
    # ^ (state before, state after) of each step; must hold of a step that changes nothing


@dataclass(frozen=True)
class World:
    """Nodes, and what must hold: `always` in every state, `sometimes` in at least one.

    Nodes may be `alike`, and values renamed, if no step and no invariant tells them apart. A state
    must then keep names and values in tuples, frozensets or dataclasses, in no order of their own.
    """

    nodes: Mapping[str, Node]
    always: Mapping[str, Callable[[Record], bool]] = field(default_factory=dict)
    sometimes: Mapping[str, Callable[[Record], bool]] = field(default_factory=dict)
    alike: tuple[str, ...] = ()  # nodes, the last ones, that may change places
    renamings: tuple[Mapping[Any, Any], ...] = ()  # of values that nothing tells apart
    crashes: int = 0  # at most so many in one run


class Column(NamedTuple):
    """All that happened to one node."""

    state: Any
    sent: frozenset[tuple[str, Any]] = frozenset()
    said: frozenset[Any] = frozenset()


class Move(NamedTuple):
    """One step of one node. `done`: after so many of its effects it crashed, and comes back."""

    node: str
    event: Event | None  # None: it crashed between two steps
    done: int | None = None


MOST_CRASHES = 15


def check_world(world: World) -> None:
    """Refuse a world that cannot be searched, and say why."""
    for rules in (world.always, world.sometimes, *(node.kept for node in world.nodes.values())):
        if not isinstance(rules, Mapping):
            raise ValueError(f"invariants have names: {{name: what must hold}}, not {rules!r}")
    names, alike = list(world.nodes), list(world.alike)
    if not names or "" in names:
        raise ValueError("a world needs nodes, each with a name")
    for name, node in world.nodes.items():
        heard = names if node.hears is None else node.hears
        if strangers := sorted(set(heard) - set(names)):
            raise ValueError(f"{name} hears {', '.join(strangers)}, but there is no such node")
        if 0 < len(set(heard) & set(alike)) < len(alike):
            raise ValueError(f"{name} hears some of those alike and not others, so they are not")
    if alike != names[len(names) - len(alike) :]:
        raise ValueError("nodes that are alike must be the last ones of a world")
    for name in alike[1:]:
        if world.nodes[name] != world.nodes[alike[0]]:
            raise ValueError(f"{name} is not like {alike[0]}: their nodes differ")
    if not 0 <= world.crashes <= MOST_CRASHES:
        raise ValueError(f"{world.crashes} crashes: use 0 to {MOST_CRASHES}")
    group = [{}, *map(dict, world.renamings)]
    for one in group:
        if set(one) != set(one.values()):
            raise ValueError(f"{one} is no renaming: the same values must stand on both sides")
        for other in group:
            both = {value: other.get(to, to) for value, to in (other | one).items()}
            if not any(all(it.get(v, v) == to for v, to in both.items()) for it in group):
                raise ValueError(f"renaming {one} and then {other} is missing among the renamings")


def asked(node: Node, name: str, state: Any, event: Event) -> Any:
    """Call the step of a node. An error in it says where it came about."""
    try:
        return node.step(state, event)
    except Exception as error:
        error.add_note(f"in a step of {name}, in the state {state!r}, on the event {event!r}")
        raise


def unprompted(node: Node, name: str, state: Any) -> list[Event]:
    """What a node may do of its own accord. Raises ValueError for what is no list."""
    messages = node.alone(state)
    if isinstance(messages, str) or not isinstance(messages, Iterable):
        raise ValueError(f"{name} may do {messages!r} unprompted: make it a list")
    return [("", message) for message in messages]


def effects_of(name: str, result: Any, addresses: Iterable[str]) -> tuple[Any, tuple[Any, ...]]:
    """What a step returned, as (state, effects). Raises ValueError where it is anything else."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise ValueError(f"a step of {name} returned {result!r}, not (state, list of effects)")
    state, effects = result
    if isinstance(effects, str) or not isinstance(effects, Iterable) or is_message(effects):
        raise ValueError(f"a step of {name} returned {effects!r} as its effects: make it a list")
    effects = tuple(effects)
    for effect in effects:
        if is_message(effect) and effect[0] not in addresses:
            raise ValueError(
                f"{name} sends {effect!r}, but nobody is called {effect[0]!r}; "
                "an effect that is no message must not be a pair"
            )
    try:
        hash((state, effects))
    except TypeError as error:
        raise ValueError(f"{name} has a state or an effect that cannot be kept: {error}") from None
    return state, effects


def is_message(effect: Any) -> bool:
    """Is it a pair of somebody's name and a message?"""
    return type(effect) is tuple and len(effect) == 2 and isinstance(effect[0], str)


def mentions(thing: Any, names: Iterable[str]) -> bool:
    """Does one of these names stand anywhere in the thing?"""
    if isinstance(thing, tuple | frozenset):
        return any(mentions(one, names) for one in thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        return any(mentions(getattr(thing, f.name), names) for f in fields(thing))
    return any(name in (thing if isinstance(thing, str) else repr(thing)) for name in names)


def rename(thing: Any, names: Mapping[Any, Any]) -> Any:
    """The thing with these values exchanged, however deep they are in it."""
    if isinstance(thing, frozenset):
        return frozenset(rename(one, names) for one in thing)
    if isinstance(thing, tuple):
        parts = [rename(one, names) for one in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    if is_dataclass(thing) and not isinstance(thing, type):
        shown = {f.name: rename(getattr(thing, f.name), names) for f in fields(thing)}
        return replace(thing, **shown)
    for value, other in names.items():  # True is no 1 here
        if type(value) is type(thing) and value == thing:
            return other
    return thing
