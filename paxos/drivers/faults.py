"""Faults by script: one line of text each, so that a run can be told in a sentence::

    drop promise 3 to ann         the third promise sent to ann is lost
    drop prepare from ben         every prepare of ben is lost
    duplicate accept 1 to n2      it arrives twice
    delay accept by 2.5           every accept takes 2.5 message delays longer
    crash n1 at 4 for 10          n1 stops at time 4 and comes back at 14
    crash n1 after save 1         n1 stops right after its first save, before it answers
    cut ann n1 | ben n2 from 2 to 9    in between, these two groups do not hear each other
    junk s1 at 4                  something else lands in this list; every reader skips it
    poison s1 at 4                an entry of a newer version; every reader stops there

Times are in mean message delays; a number counts the messages that fit the line, from 1.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..protocol.lists import Entry

ASKS = ("prepare", "accept", "write", "read", "append", "fetch")  # of those who remember
ANSWERS = ("promise", "accepted", "refused", "written", "blocks", "appended", "entries")
KINDS = (*ASKS, *ANSWERS)


class FaultError(ValueError):
    """A line that is no fault, or names what is not there."""


@dataclass(frozen=True, slots=True)
class OnMessage:
    """Drop, duplicate or delay messages of one kind."""

    act: str
    kind: str
    nth: int | None
    to: str | None
    sender: str | None
    by: float


@dataclass(frozen=True, slots=True)
class CrashAt:
    """A node stops at a time, and comes back or not."""

    node: str
    at: float
    lasts: float | None


@dataclass(frozen=True, slots=True)
class CrashAfterSave:
    """A node stops between its `nth` save and the answer that the save was for."""

    node: str
    nth: int
    lasts: float | None


@dataclass(frozen=True, slots=True)
class CutBetween:
    """Groups of nodes that do not hear each other for a while."""

    groups: tuple[tuple[str, ...], ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Litter:
    """Something lands in a list that no client of this version has written."""

    node: str
    thing: Any
    at: float


Fault = OnMessage | CrashAt | CrashAfterSave | CutBetween | Litter

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_ON_MESSAGE = re.compile(
    r"(?P<act>drop|duplicate|delay) (?P<kind>\w+)(?: (?P<nth>\d+))?"
    r"(?: from (?P<sender>\S+))?(?: to (?P<to>\S+))?(?: from (?P<other>\S+))?"
    r"(?: by (?P<by>" + _NUMBER + "))?"
)
_CRASH_AT = re.compile(rf"crash (\S+) at {_NUMBER}(?: for {_NUMBER})?")
_CRASH_SAVE = re.compile(rf"crash (\S+) after save (\d+)(?: for {_NUMBER})?")
_LITTER = re.compile(rf"(junk|poison) (\S+) at {_NUMBER}")
_CUT = re.compile(rf"cut (.+?) from {_NUMBER} to {_NUMBER}")


def script(lines: Iterable[str], roles: Mapping[str, Sequence[str]]) -> list[Fault]:
    """Read a whole script. Raises FaultError for a line that cannot be read or cannot come true."""
    asks, remembers = list(roles)[:2]
    faults = [parse(line, [name for names in roles.values() for name in names]) for line in lines]
    for line, fault in zip(lines, faults, strict=True):
        match fault:
            case CrashAfterSave(node) if node not in roles[remembers]:
                raise FaultError(f"{line!r}: {node} never saves anything; only {remembers}s do")
            case OnMessage(kind=kind, sender=str(sender)):
                sends = asks if kind in ASKS else remembers
                if sender not in roles[sends]:
                    raise FaultError(f"{line!r}: {sender} never sends that; {sends}s do")
            case Litter(node) if node not in roles.get("list", ()):
                raise FaultError(f"{line!r}: {node} is no list, where things could land")
    spans = [("cut", one.start, one.end) for one in faults if isinstance(one, CutBetween)]
    for one in faults:
        if isinstance(one, CrashAt):
            end = one.at + (math.inf if one.lasts is None else one.lasts)
            spans.append((f"crash of {one.node}", one.at, end))
    for (what, _, end), (other, start, _) in pairwise(sorted(spans)):
        if what == other and start < end:
            raise FaultError(f"one {what} at a time: the next begins at {start}, before {end}")
    return faults


def parse(line: str, nodes: Iterable[str]) -> Fault:
    """Read one line. Raises FaultError, with the grammar's nearest form, if it cannot be read."""
    text, known = " ".join(line.split()), list(nodes)
    fault = _read(text)
    if fault is None:
        raise FaultError(
            f"cannot read the fault {line!r}. Forms:{(__doc__ or '').partition('sentence::')[2]}"
        )
    match fault:
        case OnMessage(act, kind, nth, _, _, by):
            if kind not in KINDS:
                raise FaultError(f"{line!r}: no message is a {kind!r}; use {', '.join(KINDS)}")
            if nth == 0:
                raise FaultError(f"{line!r}: messages are counted from 1")
            if (act == "delay") != (by > 0):
                raise FaultError(f"{line!r}: `delay` needs a `by TIME` above 0, and only `delay`")
            named = [name for name in (fault.to, fault.sender) if name]
        case CutBetween(groups, start, end):
            named = [name for group in groups for name in group]
            if end <= start or len(groups) < 2 or () in groups or len(named) != len(set(named)):
                raise FaultError(
                    f"{line!r}: a cut needs two groups apart and an end after its start"
                )
        case CrashAfterSave(_, 0):
            raise FaultError(f"{line!r}: saves are counted from 1")
        case _:
            named = [fault.node]
    for name in named:
        if name not in known:
            raise FaultError(f"{line!r}: no node is called {name!r}; there are {', '.join(known)}")
    return fault


def _read(text: str) -> Fault | None:
    if (match := _ON_MESSAGE.fullmatch(text)) and not (match["sender"] and match["other"]):
        act, kind, nth, by = match.group("act", "kind", "nth", "by")
        sender = match["sender"] or match["other"]
        return OnMessage(act, kind, int(nth) if nth else None, match["to"], sender, float(by or 0))
    if match := _CRASH_AT.fullmatch(text):
        node, at, lasts = match.groups()
        return CrashAt(node, float(at), float(lasts) if lasts else None)
    if match := _CRASH_SAVE.fullmatch(text):
        node, nth, lasts = match.groups()
        return CrashAfterSave(node, int(nth), float(lasts) if lasts else None)
    if match := _LITTER.fullmatch(text):
        thing = "junk" if match[1] == "junk" else Entry("newer", 0, "of a newer version")
        return Litter(match[2], thing, float(match[3]))
    if match := _CUT.fullmatch(text):
        groups = tuple(tuple(group.split()) for group in match[1].split("|"))
        return CutBetween(groups, float(match[2]), float(match[3]))
    return None
