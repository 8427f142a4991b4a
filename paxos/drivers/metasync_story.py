"""A run of clients and lists that the checker found, told: what stands in each list, who read what."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..protocol.messages import Accept
from .checker import Verdict
from .metasync import (
    CLIENTS,
    LISTS,
    MAJORITY,
    Client,
    Entry,
    Fetched,
    Size,
    View,
    metasync_world,
    waits,
)
from .nodes import BEYOND, Event, Move

NAMES = {
    "code": "the code",
    "fixed": "the code, ballots compared",
    "figure 4": "figure 4",
    "figure 4, own prepare": "figure 4, own prepare read",
}
Row = tuple[str, list[tuple[Any, ...]], dict[str, tuple[str, int]]]


class Line(NamedTuple):
    """One append. It was taken, refused by the fold, or (None) never arrived."""

    entry: Entry
    taken: bool | None


class Look(NamedTuple):
    """What a client had of one list: read up to this line, or else (failed) remembered."""

    where: str
    view: View
    upto: int
    failed: bool = False


class Reading(NamedTuple):
    """A client has a majority of answers."""

    client: str
    asked: Entry
    looks: tuple[Look, ...]
    told: str  # the value that it was told, if any
    then: str  # what it does


class Story:
    """A run of the checker: what came to stand in each list, and who read what."""

    def __init__(self, size: Size, run: Iterable[Move] = ()) -> None:
        self.size, self.nodes = size, metasync_world(size).nodes
        self.states: dict[str, Any] = {name: node.state for name, node in self.nodes.items()}
        self.lists: dict[str, list[Line]] = {name: [] for name in LISTS}
        self.sent: dict[str, list[Entry]] = {name: [] for name in CLIENTS}
        self.shown: dict[tuple[str, str, Fetched], int] = {}  # (list, to whom, what) -> lines then
        self.looks: dict[str, list[Look]] = {name: [] for name in CLIENTS}
        self.readings: list[Reading] = []
        for move in run:
            if not self.possible(move):  # under other rules somebody has done something else
                break
            self.take(move)

    def possible(self, move: Move) -> bool:
        """Was sent what is now to arrive?"""
        assert move.event is not None, "in this world nobody crashes between two steps"
        sender, message = move.event
        if move.node in self.lists:
            number, entry = message
            return self.sent[sender][number : number + 1] == [entry]
        return not sender or (sender, move.node, message) in self.shown

    def take(self, move: Move) -> None:
        """One move of the checker."""
        node, before, event = self.nodes[move.node], self.states[move.node], move.event
        assert event is not None
        if move.done is None:
            result = node.step(before, event)
            assert result is not BEYOND, "no run goes beyond its world"
            now, effects = result
        else:
            ((_, now, effects),) = node.crashes(before, event)
        if now == before:
            return
        self.states[move.node] = now
        if move.node in self.lists:
            taken = None if move.done is not None else now.view != before.view
            self.lists[move.node].append(Line(event[1][1], taken))
            for to, fetched in effects:
                self.shown[move.node, to, fetched] = len(self.lists[move.node])
            return
        if event[0]:
            self.look(move.node, before, event, move.done is not None)
        self.sent[move.node] += [one[1][1] for one in effects if isinstance(one, tuple)]
        if event[0] and not now.heard:
            self.read(move.node, before, now)

    def look(self, name: str, before: Client, event: Event, failed: bool) -> None:
        """A client has one more answer."""
        where, fetched = event
        upto = self.shown[where, name, fetched]
        if failed:  # then what it had before is taken for the answer
            old = [one for it in self.readings if it.client == name for one in it.looks]
            upto = max((one.upto for one in old if one.where == where), default=0)
        view = dict(before.seen).get(where, View()) if failed else fetched.view
        self.looks[name].append(Look(where, view, upto, failed))

    def read(self, name: str, before: Client, now: Client) -> None:
        """It has enough of them."""
        asked = self.sent[name][before.sent - 1]
        told = now.value if now.phase == "done" else ""
        then = f"is told {told}" if told else f"asks for {now.value}"
        then = "tries again" if now.phase == "prepare" else then
        looks, self.looks[name] = tuple(sorted(self.looks[name])), []
        self.readings.append(Reading(name, asked, looks, told, then))

    def go_on(self) -> "Story":
        """From here on nothing is late: all that was sent arrives, and is read."""
        while move := next(self.moves(), None):
            self.take(move)
        return self

    def moves(self) -> Iterator[Move]:
        """What can happen next."""
        for where in LISTS:
            for who, done in zip(CLIENTS, self.states[where].done, strict=True):
                if done < len(self.sent[who]):
                    yield Move(where, (who, (done, self.sent[who][done])))
        for where, who, fetched in self.shown:
            me = self.states[who]
            if waits(me, where, fetched):
                result = self.nodes[who].step(me, (where, fetched))
                if result is not BEYOND and result[0] != me:
                    yield Move(who, (where, fetched))

    # What is drawn of it.

    def chosen(self) -> set[Accept]:
        """The proposals that a majority of lists took."""
        taken = [one.entry for its in self.lists.values() for one in its if one.taken]
        votes = [entry for entry in taken if isinstance(entry, Accept)]
        return {vote for vote in votes if votes.count(vote) >= MAJORITY}

    def readings_of(self, **phases: str) -> dict[str, Reading]:
        """The last reading of each client, or the last in its "prepare" or "accept" phase."""
        return {
            one.client: one
            for one in self.readings
            if phases.get(one.client, words(one.asked)) in words(one.asked)
        }

    def columns(self, **phases: str) -> Iterator[Row]:
        """For each list: name; (label, author, kind, taken, chosen); reader: (what, up to where)."""
        chosen = self.chosen()
        for where, lines in self.lists.items():
            marks = [
                (
                    short(entry),
                    entry.ballot.proposer,
                    words(entry).split()[0],
                    taken,
                    bool(taken) and entry in chosen,
                )
                for entry, taken in lines
            ]
            looks = {name: one.looks for name, one in self.readings_of(**phases).items()}
            views = {
                name: (votes_in(one), one.upto)
                for name, its in looks.items()
                for one in its
                if one.where == where
            }
            yield where, marks, views

    def told(self, **phases: str) -> dict[str, tuple[str, bool | None]]:
        """What each client does after that reading, and is it true? (None: it is told nothing.)"""
        values = {vote.value for vote in self.chosen()}
        last = self.readings_of()
        out = dict[str, tuple[str, bool | None]]()
        for name, one in self.readings_of(**phases).items():
            later = last[name].told
            then = one.then if one.told or not later else f"{one.then}, and is told {later}"
            out[name] = then, later in values if later else None
        return out

    def table(self) -> str:
        """Every reading, as a table in Markdown."""
        rows = ["| | has appended | reads | and so |", "|---|---|---|---|"]
        for one in self.readings:
            reads = "; ".join(f"{look.where}: {votes_in(look)}" for look in one.looks)
            rows.append(f"| {one.client} | {words(one.asked)} | {reads} | {one.then} |")
        return "\n".join(rows)


def short(entry: Entry) -> str:
    """An entry in a few letters."""
    ballot = f"{entry.ballot.round}.{entry.ballot.proposer}"
    return f"{ballot} {entry.value}" if isinstance(entry, Accept) else ballot


def words(entry: Entry) -> str:
    """The same with its kind."""
    return f"{'accept' if isinstance(entry, Accept) else 'prepare'} {short(entry)}"


def votes_in(look: Look) -> str:
    """The last vote that a reader sees."""
    seen = short(look.view.votes[-1]) if look.view.votes else "no vote"
    return f"failed, so {seen}" if look.failed else seen


def verdicts(found: Mapping[Size, Verdict]) -> str:
    """What the checker found in each world, as a table in Markdown."""
    rows = ["| rule | rounds each | what fails | found |", "|---|---|---|---|"]
    for size, one in found.items():
        seen = f"safe, {one.states:,} states"
        if one.run:
            seen = f"**violated**, {one.length} steps"
        rows.append(f"| {NAMES[size.rule]} | {size.rounds} | {faults(size)} | {seen} |")
    return "\n".join(rows)


def faults(size: Size) -> str:
    """What fails in a world, in words."""
    if size.lost:
        return "one append is lost" if size.lost == 1 else f"{size.lost} appends are lost"
    if size.failed:
        return (
            "one failed fetch counts" if size.failed == 1 else f"{size.failed} failed fetches count"
        )
    return "nothing"
