"""One whole trace of a live run, from what each of its clients wrote down.

A client writes its own steps. What the lists did stands between the lines: an append happened after it
was sent and before anybody saw it, and in the order of positions; a fetch happened after the last entry
that it shows and before the first that it does not. An order that fits all of that is a run of lists.
Where a fetch shows less than it must have, the service was behind, which it may be.

Time only chooses between orders that fit. So clocks of several machines need not agree.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..protocol.events import Answer, Send
from ..protocol.lists import Amiss, Genesis, List, keep
from ..protocol.messages import END, Append, Appended, Entries, Fetch
from ..trace import Crash, Header, Open, Record, Sent, Step, Trace

Key = tuple[int, int]  # of a request: (life, its id in the file of that life)


class NoRun(ValueError):
    """These cannot be traces of clients of the same lists."""


@dataclass
class Job:
    """Something that happened, and how much must have happened before."""

    at: int
    waits: int = 0
    then: list["Job"] = field(default_factory=list)
    record: Any = None  # of a client
    life: int = 0
    name: str = ""  # of a list
    request: Any = None  # Append, or Fetch
    key: tuple[int, int] | None = None  # (life, id of the request); None: somebody else asked
    shows: int = 0  # a fetch: up to which position
    old: bool = False  # a fetch that shows less than its client knew when it asked
    done: bool = False

    def before(self, other: "Job") -> None:
        self.then.append(other)
        other.waits += 1


def live(trace: Trace) -> bool:
    """Is this what one client wrote down, without the lists?"""
    lists = {name for name, role in trace.header.nodes if role == "list"}
    return bool(lists) and not any(
        one.node in lists for one in trace.records if isinstance(one, Open)
    )


def merge(traces: Sequence[Trace]) -> Trace:
    """The run of all of these clients. States are left out (`trace.told`). Raises NoRun."""
    return Merge(traces).run()


class Merge:
    """A merge in progress: what the lists held, who asked for it, and in which order."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = sorted(traces, key=lambda one: one.records[0].at if one.records else 0)
        first = self.traces[0].header
        for one in self.traces:
            if (one.header.protocol, one.header.quorums) != (first.protocol, first.quorums):
                raise NoRun("these traces are of two different logs")
        self.lists = [name for name, role in first.nodes if role == "list"]
        self.genesis = {name: self.first(name) for name in self.lists}
        self.states = {name: List((self.genesis[name],)) for name in self.lists}
        self.names = self.named()
        self.seen: set[str] = set()
        self.records: list[Record] = [Open(0, name, self.states[name]) for name in self.lists]
        self.ids: dict[tuple[int, int], int] = {}  # (life, id in its file) -> id here
        self.known: dict[tuple[int, int], int] = {}  # -> entries that the client knew of by then
        self.answers: dict[tuple[int, int], int] = {}  # -> id of the answer
        self.free, self.now = 1, 0

    def first(self, name: str) -> Genesis:
        """Entry 0 of a list, as all clients know it."""
        found: set[Genesis] = {
            view.genesis
            for trace in self.traces
            for one in trace.records
            if isinstance(one, Open)
            for its, view in one.state.views
            if its == name
        }
        if len(found) != 1:
            raise NoRun(
                f"these traces are of two different logs: {name} has {len(found)} beginnings"
            )
        return found.pop()

    def named(self) -> list[str]:
        """A name for each life. Who comes back keeps it; of two at once one gets another."""
        ends, names = dict[str, int](), list[str]()
        for trace in self.traces:
            plain = next(name for name, role in trace.header.nodes if role == "client")
            name, number = plain, 1
            while ends.get(name, -1) > trace.records[0].at:
                number += 1
                name = f"{plain}~{number}"
            ends[name] = trace.records[-1].at
            names.append(name)
        return names

    def run(self) -> Trace:
        jobs = [self.life(number, trace) for number, trace in enumerate(self.traces)]
        last: dict[str, Job] = {}
        for name, mine in zip(
            self.names, jobs, strict=True
        ):  # lives of one name, one after the other
            if name in last and mine:
                last[name].before(mine[0])
            if mine:
                last[name] = mine[-1]
        clients = [job for mine in jobs for job in mine]
        self.order([*clients, *(job for name in self.lists for job in self.served(name, clients))])
        nodes = [(name, "client") for name in dict.fromkeys(self.names)]
        head = self.traces[0].header
        header = Header(
            head.protocol, 0, head.quorums, (*nodes, *((name, "list") for name in self.lists))
        )
        return Trace(header, tuple(self.records))

    def life(self, number: int, trace: Trace) -> list[Job]:
        """The steps of one client, in their order; and how much it knew of a list when it asked."""
        jobs, ends = [Job(one.at, record=one, life=number) for one in trace.records], Counter[str]()
        for one in trace.steps():
            if isinstance(one.event, Answer) and isinstance(one.event.message, Entries):
                name, shown = one.event.acceptor, one.event.message
                ends[name] = max(ends[name], shown.after + len(shown.entries))
            self.known.update({(number, sent.id): ends[sent.to] for sent in one.sent})
        for job, following in pairwise(jobs):
            job.before(following)
        return jobs

    # What the lists did.

    def served(self, name: str, clients: list[Job]) -> list[Job]:
        """The jobs of one list, tied to those who asked and to those who were answered."""
        asked, answered = self.asked(name, clients), self.answered(name, clients)
        things = self.content(name, [job.record.event.message for job in answered.values()])
        sure = {
            job.record.event.message.position: key
            for key, job in answered.items()
            if isinstance(job.record.event.message, Appended)
        }
        jobs, fetches = self.appends(name, things, asked, sure), list[Job]()
        mine = {job.key: job for job in jobs if job.key}
        for key, job in answered.items():
            message = job.record.event.message
            if key not in asked:
                raise NoRun(
                    f"{self.names[key[0]]} received an answer of {name} that it never asked for"
                )
            if isinstance(message, Appended):
                if key not in mine:
                    raise NoRun(f"{name} acknowledged an entry that is not there: {message.entry}")
                mine[key].before(job)
                continue
            shows = message.after + len(message.entries)
            fetch = Job(
                asked[key].at, name=name, request=Fetch(message.after), key=key, shows=shows
            )
            fetch.old = self.known[key] > shows
            asked[key].before(fetch)
            fetch.before(job)
            fetches.append(fetch)
            if shows > 1:
                jobs[shows - 2].before(fetch)
        return [*jobs, *fetches]

    def asked(self, name: str, clients: list[Job]) -> dict[tuple[int, int], Job]:
        """By whom each request was sent."""
        return {
            (job.life, one.id): job
            for job in clients
            if isinstance(job.record, Step)
            for one in job.record.sent
            if one.to == name
        }

    def answered(self, name: str, clients: list[Job]) -> dict[tuple[int, int], Job]:
        """By whom each answer was received."""
        return {
            (job.life, job.record.received): job
            for job in clients
            if isinstance(job.record, Step) and job.record.received is not None
            if isinstance(job.record.event, Answer) and job.record.event.acceptor == name
        }

    def content(self, name: str, answers: list[Any]) -> list[Any]:
        """What stood in a list after its genesis, as far as anybody saw it."""
        found: dict[int, Any] = {0: self.genesis[name]}
        for message in answers:
            shown = (
                [(message.position or 0, message.entry)]
                if isinstance(message, Appended)
                else list(enumerate(message.entries, message.after))
            )
            for position, thing in shown:
                if found.setdefault(position, thing) != thing:
                    raise NoRun(f"two orders: at {position} in {name} not all have seen the same")
        end = max(found) + 1
        return [found.get(position, f"not seen: {position}") for position in range(1, end)]

    def appends(
        self, name: str, things: list[Any], asked: dict[Key, Job], sure: dict[Any, Key]
    ) -> list[Job]:
        """One job for each position after the first. `sure`: who was told that it appended there."""
        who: dict[Any, list[Key]] = defaultdict(list)
        told = set(sure.values())
        for sender, job in asked.items():
            message = next(one.message for one in job.record.sent if one.id == sender[1])
            if isinstance(message, Append) and sender not in told:
                who[message.entry].append(sender)
        jobs, time = list[Job](), 0
        for position, thing in enumerate(things, 1):
            key = sure.get(position)
            if key is None and who.get(thing):
                key = who[thing].pop(0)
            time = max(time, asked[key].at if key else 0)
            job = Job(time, name=name, request=Append(thing, END if key else None), key=key)
            if key:
                asked[key].before(job)
            if jobs:
                jobs[-1].before(job)
            jobs.append(job)
        return jobs

    # The order.

    def order(self, jobs: list[Job]) -> None:
        """Let everything happen, the earliest first of what can.

        An entry waits for the fetches that do not show it. Where nothing else can happen any more, it
        waits no longer: a service was behind.
        """
        unseen: dict[tuple[str, int], list[Job]] = defaultdict(list)
        for job in jobs:
            if isinstance(job.request, Fetch) and not job.old:
                unseen[job.name, job.shows].append(job)
        ready = [(job.at, number, job) for number, job in enumerate(jobs) if not job.waits]
        heapq.heapify(ready)
        number, left = len(jobs), len(jobs)
        while ready:
            held = list[tuple[int, int, Job]]()
            while ready and self.early(ready[0][2], unseen):
                held.append(heapq.heappop(ready))
            job = heapq.heappop(ready)[2] if ready else held.pop(0)[2]
            for one in held:
                heapq.heappush(ready, one)
            self.happen(job)
            job.done, left = True, left - 1
            for other in job.then:
                other.waits -= 1
                if not other.waits:
                    number += 1
                    heapq.heappush(ready, (other.at, number, other))
        if left:
            raise NoRun("no order fits: somebody saw an entry before it was sent")

    def early(self, job: Job, unseen: dict[tuple[str, int], list[Job]]) -> bool:
        """Is this an append that a fetch, still to come, does not show?"""
        if not isinstance(job.request, Append):
            return False
        fetches = unseen[job.name, len(self.states[job.name].things)]
        return any(not one.done for one in fetches)

    def happen(self, job: Job) -> None:
        """Write down what happened, as the simulator does."""
        self.now = max(self.now, job.at)
        if job.record is not None:
            self.told(job)
            return
        request = job.request
        if isinstance(request, Fetch):
            behind = len(self.states[job.name].things) - job.shows
            request = Amiss(request, behind) if behind else request
        self.states[job.name], effects = keep(self.states[job.name], request)
        received, sent = None, tuple[Sent, ...]()
        if job.key:
            received, self.answers[job.key] = self.ids[job.key], self.free
            reply = next(one.message for one in effects if isinstance(one, Send))
            sent = (Sent(self.free, self.names[job.key[0]], reply),)
            self.free += 1
        self.records.append(
            Step(self.now, job.name, request, None, effects, len(effects), sent, received)
        )

    def told(self, job: Job) -> None:
        """A step of a client, under the numbers and names of the whole."""
        record, name = job.record, self.names[job.life]
        if isinstance(record, Open):
            if name in self.seen:
                self.records.append(Crash(self.now, name))
            self.seen.add(name)
            self.records.append(replace(record, at=self.now, node=name))
            return
        sent = list[Sent]()
        for one in record.sent:
            self.ids[job.life, one.id] = self.free
            sent.append(Sent(self.free, one.to, one.message))
            self.free += 1
        received = record.received
        if received is not None:
            received = self.answers[job.life, received]
        self.records.append(
            replace(record, at=self.now, node=name, sent=tuple(sent), received=received)
        )
