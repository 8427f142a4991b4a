"""Dataclasses as plain JSON: an object with a `kind`, the name of the class, and its fields."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .protocol.ballot import Ballot


def encode(thing: Any) -> Any:
    """A value of the protocol as plain JSON."""
    if is_dataclass(thing) and not isinstance(thing, type):
        shown = ((f.name, encode(getattr(thing, f.name))) for f in fields(thing))
        return {"kind": type(thing).__name__, **dict(shown)}
    return [encode(one) for one in thing] if isinstance(thing, tuple) else thing


def decode(data: Any, kinds: Mapping[str, Any]) -> Any:
    """The inverse of `encode`, for these kinds by name; every field has the type it declares.

    Raises ValueError for anything else: nothing read is ever trusted or evaluated.
    """
    if isinstance(data, list):
        return tuple(decode(one, kinds) for one in data)
    if not isinstance(data, dict):
        return data
    kind = kinds.get(str(data.get("kind")))
    if kind is None:
        raise ValueError(f"unknown kind {data.get('kind')!r}: so no trace")
    hints, given = _hints(kind), {name: one for name, one in data.items() if name != "kind"}
    if given.keys() != hints.keys():
        odd = ", ".join(sorted(given.keys() ^ hints.keys()))
        raise ValueError(f"{kind.__name__} has missing or foreign fields: {odd}")
    values = {name: _typed(decode(one, kinds), hints[name]) for name, one in given.items()}
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{kind.__name__}.{name} cannot be {json.dumps(given[name])[:60]}")
    # Not `kind(**values)`: a record tells what happened, even in a world that should not have been.
    made = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(value: Any, hint: Any) -> Any:
    """JSON has no ballots: a pair becomes one where the field says so."""
    if hint is Ballot and isinstance(value, tuple) and len(value) == 2:
        return Ballot(*value)
    inner = get_args(hint)
    if get_origin(hint) is tuple and isinstance(value, tuple):
        each = [inner[0]] * len(value) if inner[-1] is ... else list(inner)
        return tuple(_typed(one, kind) for one, kind in zip(value, each, strict=False))
    if get_origin(hint) in (Union, UnionType) and Ballot in inner:
        return _typed(value, Ballot)
    return value


def _fits(value: Any, hint: Any) -> bool:
    inner = get_args(hint)
    match get_origin(hint):
        case origin if origin in (Union, UnionType):
            return any(_fits(value, one) for one in inner)
        case origin if origin is Literal:
            return value in inner
        case origin if origin is tuple:
            if not isinstance(value, tuple):
                return False
            each = [inner[0]] * len(value) if inner[-1] is ... else list(inner)
            return len(value) == len(each) and all(map(_fits, value, each))
    if hint is Ballot:
        return isinstance(value, Ballot) and _fits(tuple(value), tuple[int, str])
    if hint in (Any, object) or not isinstance(hint, type):
        return True
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))
