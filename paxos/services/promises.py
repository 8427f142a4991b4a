"""What was seen of a list, and which of its promises that refutes. None can be shown to be kept."""

import hashlib
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, combinations
from typing import Literal

PROMISES = {
    "place": "The adapter's own check finds nothing wrong with the place",
    "order": "Every reader sees a prefix of one and the same list",
    "changes": "What has been seen at a position stays there",
    "stays": "What was acknowledged is in the list",
    "position": "What was acknowledged stands at the position that was told",
    "winner": "Of those who append at the same time no two are told the same position",
    "once": "What got no answer is in the list once, or never",
    "refused": "What was refused is not in the list",
    "at": "An append at one position is made at the end, and there, or not at all",
    "cursor": "Read from a position on, the list is the same, also in a new process",
    "whole": "An entry is seen whole, or not at all",
    "limits": "An entry as long as the limit is taken; a longer or empty one is the caller's mistake",
    "errors": "What goes wrong is told as an error that says whose fault it is",
    "fresh": "What was acknowledged is in every fetch that begins later",
}
Outcome = Literal["told", "unknown", "taken", "refused"]
SMALL = 200  # bytes of an ordinary entry
TORN = "?"  # begins the key of what nobody appended like this


@dataclass(frozen=True, slots=True)
class Tried:
    """An append, and what its author was told. Times are of one clock for all processes."""

    who: int
    key: str
    at: int | None
    begun: float
    ended: float
    outcome: Outcome
    position: int | None
    phase: str


@dataclass(frozen=True, slots=True)
class Read:
    """A fetch, and the keys of the entries that it brought. `last`: after all appends."""

    who: int
    after: int
    keys: tuple[str, ...]
    begun: float
    ended: float
    phase: str
    last: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """Something that needed no history: "" where nothing was wrong."""

    promise: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that raised an error, or a process that died."""

    what: str
    blame: str
    retry: bool


Event = Tried | Read | Checked | Failed


def made(run: str, key: str, size: int = SMALL) -> bytes:
    """An entry that says itself how it must look, so that a part or a mixture is known as such."""
    head = f"paxos {run} {key} {size} ".encode()
    body = random.Random(f"{run} {key}").randbytes(max(0, size - len(head) - 65))
    return head + hashlib.sha256(head + body).hexdigest().encode() + b"\n" + body


def key_of(run: str, raw: bytes) -> str:
    """The key of an entry; of anything else, what it is."""
    line, body = raw[:300].partition(b"\n")[0], raw[raw.find(b"\n") + 1 :]
    words = line.decode(errors="replace").split(" ")
    if len(words) != 5 or words[:2] != ["paxos", run]:
        return f"{TORN}{len(raw):,} bytes that nobody appended"
    head = line[: len(line) - len(words[4])]
    if hashlib.sha256(head + body).hexdigest() != words[4]:
        return f"{TORN}{len(raw):,} of the {words[3]} bytes of entry {words[2]}"
    return words[2]


@dataclass(slots=True)
class Verdict:
    """What became of one promise."""

    tries: int = 0
    evidence: list[str] = field(default_factory=list)
    promised: bool = True

    def no(self, evidence: str) -> None:
        self.evidence.append(evidence)

    @property
    def refuted(self) -> bool:
        return self.promised and bool(self.evidence)

    def __str__(self) -> str:
        more = f"; and {len(self.evidence) - 1:,} more" if len(self.evidence) > 1 else ""
        first = f"{self.evidence[0]}{more}" if self.evidence else ""
        if not self.tries and not self.evidence:
            return "not tried"
        if not self.promised:
            return f"not promised; {first or f'no exception seen in {self.tries:,} tries'}"
        return f"refuted ({first})" if first else f"not refuted in {self.tries:,} tries"


class Judge:
    """All that was seen, laid side by side."""

    def __init__(self, events: Iterable[Event], fresh: bool) -> None:
        events = list(events)
        self.verdicts = {name: Verdict() for name in PROMISES}
        self.verdicts["fresh"].promised = fresh
        self.tried = [one for one in events if isinstance(one, Tried)]
        self.reads = [one for one in events if isinstance(one, Read)]
        self.told = [one for one in self.tried if one.outcome == "told"]
        self.seen: dict[int, dict[int, str]] = defaultdict(dict)  # by whom, where, what
        self.moved = set[int]()  # positions at which somebody saw two things
        self.where: dict[str, set[int]] = defaultdict(set)  # each key, after all appends
        for one in events:
            if isinstance(one, Checked):
                self.verdicts[one.promise].tries += 1
                if one.evidence:
                    self.verdicts[one.promise].no(one.evidence)
        self.verdicts["errors"].tries += len(self.tried) + len(self.reads)
        self.readers()
        self.repeated()
        if any(one.last for one in self.reads):  # else nobody knows what came of it
            self.unwanted()
            self.acknowledged()
            self.later()

    def readers(self) -> None:
        """What each reader saw: whole entries, that stay, and are the same for all."""
        whole, changes, order = (self.verdicts[one] for one in ("whole", "changes", "order"))
        for read in self.reads:
            mine = self.seen[read.who]
            for position, key in enumerate(read.keys, read.after):
                whole.tries += 1
                if key.startswith(TORN):
                    whole.no(f"at position {position} there were {key[1:]}")
                    continue
                if read.last:
                    self.where[key].add(position)
                changes.tries += position in mine
                if mine.setdefault(position, key) != key and position not in self.moved:
                    self.moved.add(position)
                    changes.no(f"position {position} was entry {mine[position]}, and then {key}")
        all_of = defaultdict[int, dict[str, int]](dict)
        for who, mine in self.seen.items():
            for position, key in mine.items():
                order.tries += 1
                all_of[position].setdefault(key, who)
        last = max((read.after + len(read.keys) for read in self.reads if read.last), default=None)
        for position, keys in all_of.items():
            if len(keys) > 1 and position not in self.moved:
                told = " and ".join(f"{key} to reader {who}" for key, who in keys.items())
                order.no(f"position {position} is entry {told}")
            if last is not None and position >= last:
                self.moved.add(position)
                changes.no(f"entry {next(iter(keys))} was at position {position}, and has vanished")

    def repeated(self) -> None:
        """Nothing is in the list twice."""
        self.verdicts["once"].tries = sum(one.outcome == "unknown" for one in self.tried)
        twice = dict[str, str]()
        for mine in self.seen.values():
            places = defaultdict[str, list[int]](list)
            for position, key in mine.items():
                if position not in self.moved:
                    places[key].append(position)
            for key, its in places.items():
                if len(its) > 1:
                    twice[key] = f"entry {key} is at positions {its[0]} and {its[1]}"
        for said in twice.values():
            self.verdicts["once"].no(said)

    def unwanted(self) -> None:
        """What was refused, and what was to be made elsewhere, is not there."""
        at, refused = self.verdicts["at"], self.verdicts["refused"]
        for one in self.tried:
            at.tries += one.at is not None
            if one.outcome in ("taken", "refused"):
                refused.tries += 1
                if one.key in self.where:
                    its = min(self.where[one.key])
                    said = f"entry {one.key} was refused, and is at position {its}"
                    (at if one.outcome == "taken" else refused).no(said)

    def acknowledged(self) -> None:
        """What was acknowledged is there, where it was said to be, and alone."""
        names = ("stays", "position", "winner", "at")
        stays, position, winner, at = (self.verdicts[one] for one in names)
        holders = defaultdict[int | None, list[Tried]](list)
        wanted = Counter(one.at for one in self.tried if one.at is not None)
        winner.tries += sum(count > 1 for count in wanted.values())
        for one in self.told:
            stays.tries += 1
            position.tries += 1
            holders[one.position].append(one)
        rivals = {where: at_once(its) for where, its in holders.items()}
        for where, keys in rivals.items():
            if keys:
                winner.no(f"{len(keys)} writers were told that they have position {where}")
        for one in self.told:
            its = self.where.get(one.key, set())
            if one.at is not None and one.position != one.at:
                at.no(f"an append at position {one.at} was made at {one.position}")
            elif one.position in its:
                continue
            elif its and one.position not in self.moved:
                position.no(f"entry {one.key} is at {min(its)}, and {one.position} was told")
            elif not its and one.key not in rivals[one.position]:
                stays.no(f"entry {one.key}, acknowledged at position {one.position}, is not there")

    def later(self) -> None:
        """What was acknowledged before a fetch began was in it."""
        fresh = self.verdicts["fresh"]
        acks = sorted(
            (one.ended, one.position + 1)
            for one in self.told
            if one.position is not None and one.position in self.where.get(one.key, ())
        )
        times, ends = [time for time, _ in acks], list(accumulate((it for _, it in acks), max))
        own = defaultdict[int, list[tuple[float, int]]](list)
        for one in self.told:
            if one.position is not None and one.position in self.where.get(one.key, ()):
                own[one.who].append((one.ended, one.position + 1))
        for read in self.reads:
            known = bisect_left(times, read.begun)
            if not known:
                continue
            fresh.tries += 1
            end, needed = read.after + len(read.keys), ends[known - 1]
            if read.after < needed and end < needed:
                mine = any(time < read.begun and it > end for time, it in own[read.who])
                whose = "its own append" if mine else "an append of another"
                fresh.no(f"a fetch ended at {end} after {whose} at {needed - 1} was acknowledged")


def at_once(them: list[Tried]) -> set[str]:
    """Those of these appends that were under way at the same time as another of them."""
    pairs = combinations(them, 2)
    both = ({a.key, b.key} for a, b in pairs if a.begun < b.ended and b.begun < a.ended)
    return set[str]().union(*both)


def quantiles(events: Iterable[Event]) -> Mapping[str, tuple[int, float, float, float]]:
    """How long requests took, in seconds: how many there were, and what 50, 90 and 99 of 100 took."""
    times = defaultdict[str, list[float]](list)
    for one in events:
        if isinstance(one, Tried) and one.outcome == "told":
            kind = {"alone": "alone", "large": "large"}.get(one.phase, "in a race")
            times[f"append, {kind}"].append(one.ended - one.begun)
        elif isinstance(one, Read):
            times["fetch"].append(one.ended - one.begun)
    found = dict[str, tuple[int, float, float, float]]()
    for kind, its in sorted(times.items()):
        its.sort()
        half, most, nearly = (its[int(share * (len(its) - 1))] for share in (0.5, 0.9, 0.99))
        found[kind] = len(its), half, most, nearly
    return found
