"""One whole trace of a live run, from what each of its clients wrote down.

A client writes its own steps. What the lists did stands between the lines: an append happened after it
was sent and before anybody knew of it, and in the order of positions; a fetch happened after the last
entry that it shows and before the first that it does not. An order that fits all of that is a run of
lists. Where none does, a fetch was answered as the list was before, and is an `Amiss`.

Cause and effect decide. Time only chooses where they leave a choice, and a clock may be off by a tick.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..protocol.events import Save, Send
from ..protocol.lists import Amiss, Genesis, List, keep
from ..protocol.messages import END, Append, Appended, Entries
from ..trace import Crash, Open, Record, Sent, Step, Trace
from .ordering import Job, Key, NoRun, Shelf, order, unseen

__all__ = ["NoRun", "live", "merge"]


def live(trace: Trace) -> bool:
    """Is this what one client wrote down, without the lists?"""
    lists = {name for name, role in trace.header.nodes if role == "list"}
    return bool(lists) and not any(
        one.node in lists for one in trace.records if isinstance(one, Open)
    )


def merge(traces: Sequence[Trace]) -> Trace:
    """The run of all of these clients. States are left out (see `trace.told`). Raises NoRun."""
    return Merge(traces).run()


class Merge:
    """A merge in progress."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        files = [one for one in traces if one.records]
        if not files:
            raise NoRun("nothing has happened in any of these traces")
        self.files = sorted(files, key=lambda one: one.records[0].at)
        self.header = self.files[0].header
        self.lists = [name for name, role in self.header.nodes if role == "list"]
        for one in self.files:
            if one.of("list") != self.lists or one.header.protocol != self.header.protocol:
                raise NoRun("these traces are of logs in different lists")
        opened = [one.records[0] for one in self.files]
        used = {one.state.identity for one in opened if isinstance(one, Open)}
        if len(used) < len(opened):
            raise NoRun("two of these traces have the same identity: one client, or one file twice")
        self.shelves = {name: Shelf(name, [self.genesis(name)]) for name in self.lists}
        self.names = self.named()
        self.records: list[Record] = []
        self.ids: dict[Key, int] = {}  # of a request, in the whole
        self.answers: dict[Key, list[tuple[Any, int]]] = defaultdict(list)  # and of its answers
        self.up: set[str] = set()
        self.free, self.now = 1, self.files[0].records[0].at

    def genesis(self, name: str) -> Genesis:
        """Entry 0 of a list, as all clients know it."""
        opened = (one for trace in self.files for one in trace.records if isinstance(one, Open))
        found: set[Genesis] = {dict(one.state.views)[name].genesis for one in opened}
        if len(found) != 1:
            raise NoRun(f"these traces are of {len(found)} logs: {name} begins in so many ways")
        return found.pop()

    def named(self) -> list[str]:
        """A name for each life. Who comes back keeps it; of two at once one gets another."""
        ends, names = dict[str, int](), list[str]()
        for trace in self.files:
            (plain,) = trace.of("client")
            name, number = plain, 1
            while ends.get(name, -1) > trace.records[0].at:
                number += 1
                name = f"{plain}~{number}"
            ends[name] = trace.records[-1].at
            names.append(name)
        return names

    def run(self) -> Trace:
        clients = self.clients()
        for shelf in self.shelves.values():
            self.see(shelf)
            self.land(shelf)
            for key, answers in shelf.heard.items():
                for reply, jobs in answers:
                    served = self.served(shelf, key, reply)
                    for one in jobs:
                        served.before(one)
            shelf.state = List(tuple(shelf.things[:1]))
            self.records.append(Open(self.now, shelf.name, shelf.state))
        order(self.shelves, clients, self.header.tick, self.happen)
        nodes = [(name, "client") for name in dict.fromkeys(self.names)]
        nodes += [(name, "list") for name in self.lists]
        return Trace(replace(self.header, seed=0, nodes=tuple(nodes)), tuple(self.records))

    def clients(self) -> list[Job]:
        """The steps of all clients, in the order of each; and what they asked and heard."""
        jobs, last = list[Job](), dict[str, Job]()
        for life, (name, trace) in enumerate(zip(self.names, self.files, strict=True)):
            over = [Crash(trace.records[-1].at, name)] if name in self.names[life + 1 :] else []
            for record in (*trace.records, *over):
                job = Job(record.at, record=record, life=life)
                if name in last:  # also in its former life
                    last[name].before(job)
                last[name] = job
                jobs.append(job)
                if isinstance(record, Step):
                    self.spoke(life, job)
        return jobs

    def spoke(self, life: int, job: Job) -> None:
        """Note what a client asked in a step, and what it had heard."""
        step, name = job.record, getattr(job.record.event, "acceptor", "")
        for one in step.sent:
            self.shelves[one.to].asked[life, one.id] = job, one.message
        if step.received is None:
            return
        key, message = (life, step.received), getattr(step.event, "message", None)
        if name not in self.shelves or key not in self.shelves[name].asked:
            raise NoRun(f"{self.names[life]} heard an answer to what it never asked of {name!r}")
        answers = self.shelves[name].heard.setdefault(key, [])
        for reply, jobs in answers:
            if reply == message:  # it came twice
                jobs.append(job)
                return
        answers.append((message, [job]))

    # What a list did.

    def see(self, shelf: Shelf) -> None:
        """What stood in a list, as far as anybody knew."""
        found = dict(enumerate(shelf.things))
        for key, answers in shelf.heard.items():
            for reply, _ in answers:
                shown = list[tuple[int, Any]]()
                if isinstance(reply, Entries):
                    shown = list(enumerate(reply.entries, reply.after))
                elif reply.done and reply.position is not None:
                    shown = [(reply.position, reply.entry)]
                for position, thing in shown:
                    if found.setdefault(position, thing) != thing:
                        who = self.names[key[0]]
                        raise NoRun(
                            f"two orders: {who} saw another entry {position} of {shelf.name} than "
                            "others, or than before"
                        )
        end = max(found) + 1
        shelf.things = [found.get(n, unseen(n)) for n in range(end)]

    def land(self, shelf: Shelf) -> None:
        """One append for each position. Whose it was, an answer says, or else the entry."""
        sure, waiting = self.senders(shelf)
        before: Job | None = None
        shelf.appends = [Job(self.now)]
        for position, thing in enumerate(shelf.things[1:], 1):
            key = sure.get(position)
            fits = waiting.get(thing, []) if key is None else []
            for one in fits:
                if shelf.asked[one][1].at in (None, END, position):
                    key = one
                    fits.remove(one)
                    break
            sender, request = shelf.asked[key] if key else (None, Append(thing))
            time = max((one.at for one in (sender, before) if one), default=self.now)
            job = Job(time, name=shelf.name, event=request, key=key, position=position)
            for earlier in (sender, before):
                if earlier:
                    earlier.before(job)
            shelf.appends.append(job)
            if key:
                shelf.landed[key] = job
            before = job

    def senders(self, shelf: Shelf) -> tuple[dict[int, Key], dict[Any, list[Key]]]:
        """Who was told where it appended; and the others, by what they wanted to append."""
        sure, waiting = dict[int, Key](), defaultdict[Any, list[Key]](list)
        for key, (_, request) in shelf.asked.items():
            if isinstance(request, Append):
                waiting[request.entry].append(key)
        for key, answers in shelf.heard.items():
            for reply, _ in answers:
                if isinstance(reply, Appended) and reply.done and reply.position is not None:
                    if sure.setdefault(reply.position, key) != key:
                        raise NoRun(f"two were told that they are entry {reply.position}")
                    if key in waiting[reply.entry]:
                        waiting[reply.entry].remove(key)
        for keys in waiting.values():  # first those who were told that it is done
            keys.sort(key=lambda key: key not in shelf.heard)
        return sure, waiting

    def served(self, shelf: Shelf, key: Key, reply: Any) -> Job:
        """What the list did when it gave this answer."""
        sender, request = shelf.asked[key]
        end, avoids = 1, None
        if isinstance(reply, Entries):
            end = reply.after + len(reply.entries)
        elif not reply.done:
            avoids = request.at
        elif (mine := self.appended(shelf, key, reply)) is not None:
            mine.reply = reply
            return mine
        else:  # acknowledged, and lost
            request = Amiss(request)
        job = Job(sender.at, name=shelf.name, event=request, key=key, reply=reply)
        sender.before(job)
        if 1 < end <= len(shelf.appends):
            shelf.appends[end - 1].before(job)
        job.avoids = avoids
        job.shows = end if isinstance(reply, Entries) else None
        shelf.others.append(job)
        return job

    def appended(self, shelf: Shelf, key: Key, reply: Any) -> Job | None:
        """The append that was acknowledged so."""
        if reply.position is not None:
            return shelf.appends[reply.position] if reply.position > 0 else None
        if shelf.asked[key][1].at is not None:
            return None
        return shelf.landed.get(key)

    # What happens.

    def happen(self, job: Job) -> None:
        """Write down what happened, as the simulator does."""
        self.now = max(self.now, job.at)
        if job.record is not None:
            self.told(job)
            return
        shelf, event = self.shelves[job.name], job.event
        if job.shows is not None and (behind := len(shelf.state.things) - job.shows) > 0:
            event = Amiss(event, behind)
        shelf.state, effects = keep(shelf.state, event)
        reply = next(one.message for one in effects if isinstance(one, Send))
        if job.reply is not None and job.reply != reply:
            raise NoRun(f"{job.name} answered {job.reply}; a list would have said {reply}")
        received, sent = None, tuple[Sent, ...]()
        if job.key:
            received = self.ids[job.key]
            sent = (Sent(self.free, self.names[job.key[0]], reply),)
            self.answers[job.key].append((reply, self.free))
            self.free += 1
        effects = tuple(Save(None) if isinstance(one, Save) else one for one in effects)
        step = Step(self.now, job.name, event, None, effects, len(effects), sent, received)
        self.records.append(step)

    def told(self, job: Job) -> None:
        """A step of a client, under the numbers and names of the whole."""
        record = replace(job.record, at=self.now, node=self.names[job.life])
        if isinstance(record, Step):
            sent = list[Sent]()
            for one in record.sent:
                self.ids[job.life, one.id] = self.free
                sent.append(replace(one, id=self.free))
                self.free += 1
            received = record.received
            if received is not None:
                answers = self.answers[job.life, received]
                received = next(id for said, id in answers if said == record.event.message)
            record = replace(record, sent=tuple(sent), received=received)
        self.records.append(record)
