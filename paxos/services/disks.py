"""Several processes agree through folders: `protocol.disk.step`, run on real disks.

Each disk has a thread of its own, so a slow one holds up nobody else, and at most one request is on
its way to it: an old write cannot overtake a newer one. An error is no answer. A process hears only
what it has asked for itself, so no answer to a former life can reach it.
"""

import os
import queue
import random
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from types import TracebackType
from typing import Any, Self

from ..protocol import disk
from ..protocol.disk import Processor
from ..protocol.events import Answer, Decide, Opened, Propose, Send, Timeout, Wait
from ..protocol.log import Writer
from ..protocol.machine import commands
from ..protocol.member import Member, opened
from ..protocol.messages import Command, Message, Read, Write
from .blocks import Damaged, Folder, Label

Path = str | os.PathLike[str]
SLOWEST = 0.005  # seconds that an answer is expected to take at least
LOST = 1.0  # seconds after which an answer is missed, at least
EVERY = 10.0  # seconds between two words to those who wait
GRACE = 1.0  # seconds for a disk to finish what it is doing when we leave
UNHEARD = "no answer yet"
NEW = ". `paxos disk create` makes new ones"


class Undecided(TimeoutError):
    """Time is up. What was proposed may still be chosen later, by others."""


def silent(_: str) -> None:
    """Tell nobody."""


def decide(paths: Sequence[Path], name: str, value: str, **options: Any) -> str:
    """Propose a value, and return the one that is chosen. `options` are those of `Disks`."""
    with Disks(paths, name, **options) as disks:
        return disks.decide(value)


def append(paths: Sequence[Path], name: str, texts: Iterable[str], **options: Any) -> list[Command]:
    """Append to the log, and return all that it has by then. `options` are those of `Disks`."""
    with Disks(paths, name, **options) as disks:
        return disks.append(texts)


class Worker(Thread):
    """The thread of one disk: one request after the other, each answered or reported."""

    def __init__(self, folder: Folder, inbox: "queue.SimpleQueue[Any]") -> None:
        super().__init__(name=f"disk {folder.path}", daemon=True)  # a dead mount holds nobody
        self.folder, self.inbox = folder, inbox
        self.requests = queue.SimpleQueue[Any]()
        self.trouble: str | None = UNHEARD

    def run(self) -> None:
        staying = True
        while staying:
            asked = [self.requests.get()]
            while not self.requests.empty():
                asked.append(self.requests.get())
            staying = None not in asked
            # Of several writes the last one says all. Nobody reads before having written.
            writes = [one for one in asked if isinstance(one, Write)]
            done = all(self.serve(one) for one in writes[-1:])
            if done and Read() in asked:
                self.serve(Read())
        self.folder.close()

    def serve(self, request: Message) -> bool:
        """Carry out one request, or say why not."""
        try:
            answer: Any = self.folder.answer(request)
        except Exception as error:  # whoever waits for us must hear of it, whatever it is
            answer = error
        self.inbox.put((self, answer))
        return not isinstance(answer, Exception)


class Disks:
    """A process at work on the disks of a shelf, under its name.

    Start and leave it by `with`. `timeout` is in seconds, for each call; `tell` gets a line whenever
    a disk fails or comes back, and now and then while there is nothing else to tell. `chance` draws
    the identity and the waiting times.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        timeout: float | None = None,
        tell: Callable[[str], None] = silent,
        chance: random.Random | None = None,
    ) -> None:
        folders = [Folder(path, name) for path in paths]
        if not folders:
            raise ValueError("no disk is named: name every disk of the shelf")
        for folder in folders:
            if [one.path.absolute() for one in folders].count(folder.path.absolute()) > 1:
                raise ValueError(f"{folder.path} is named twice: name each disk once")
        self.name, self.timeout, self.tell = name, timeout, tell
        self.chance = chance or random.SystemRandom()
        self.me: Processor | None = None
        self.label: Label | None = None
        self.deadline: float | None = None
        self.alarm: tuple[float, str, Timeout] | None = None  # when, why, what
        self.asked = time.monotonic()  # when this phase began
        self.pace, self.lost, self.missed = SLOWEST, 0, 0
        self.inbox = queue.SimpleQueue[Any]()
        self.workers = [Worker(folder, self.inbox) for folder in folders]

    def __enter__(self) -> Self:
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Let go of our name, when the disks have finished: others may learn what we know."""
        for worker in self.workers:
            worker.requests.put(None)
        until = time.monotonic() + GRACE
        for worker in self.workers:
            worker.join(max(0.0, until - time.monotonic()))
        while self.label and not self.inbox.empty():  # whoever was quick may not know of a failure
            worker, answer = self.inbox.get()
            if isinstance(answer, OSError | Damaged):
                self.report(worker, answer)

    # What a user asks for.

    def decide(self, value: str) -> str:
        """Propose a value, and return the one that is chosen: for all, for ever."""
        self.ask([value], many=False)

        def chosen() -> Any:
            member = self.me and self.me.member
            return member.learner.chosen if isinstance(member, Member) else None

        return str(self.until(chosen).value)

    def append(self, texts: Iterable[str]) -> list[Command]:
        """Append to the log, and return all that it has by then, in order.

        Our texts may stand in another order than they were given in, and others' between them.
        If we are killed before we are told, then nobody knows whether it was appended: asked again,
        it may be there twice.
        """
        self.ask(list(texts), many=True)
        assert self.me and isinstance(self.me.member, Writer)
        identity = self.me.member.proposer.identity
        wanted = self.me.member.count + len(self.me.wishes)

        def appended() -> tuple[Command, ...] | None:
            member = self.me and self.me.member
            log = commands(member.log) if isinstance(member, Writer) else ()
            return log if [one.client for one in log].count(identity) == wanted else None

        return list(self.until(appended))

    def ask(self, wishes: Sequence[str], many: bool) -> None:
        """Put a wish to the protocol, which is opened as the first label says."""
        for wish in wishes:
            if not isinstance(wish, str):
                raise TypeError(
                    f"{wish!r} is no text: write down as text what you want to agree on"
                )
            wish.encode()  # half a character is no text either
        if not wishes:
            raise ValueError("nothing to append: give at least one text")
        self.deadline = None if self.timeout is None else time.monotonic() + self.timeout
        if self.me is None:
            for worker in self.workers:
                worker.requests.put(Read())
            self.until(lambda: self.label)
            self.open()
        assert self.label
        if self.label.many != many:
            what = "a log: append to it" if self.label.many else "one decision: decide"
            raise ValueError(f"this shelf is made for {what}")
        for wish in wishes:
            self.step(Propose(wish))

    def open(self) -> None:
        """Become a processor of the protocol.

        Its identity is drawn anew. Recovery finds what was promised before; a ballot would not be
        used twice even if it did not.
        """
        assert self.label
        quorums = self.label.quorums
        if len(self.workers) != quorums.of:
            raise ValueError(
                f"this shelf has {quorums.of} disks, but {len(self.workers)} are named: name all of "
                "them, also those that are out of reach"
            )
        for worker in self.workers:
            worker.folder.shelf = self.label.shelf
        identity = f"{self.name}.{self.chance.getrandbits(128):032x}"
        self.me = Processor(opened(identity, quorums, self.label.many), self.name)
        self.step(Opened())

    # The driver.

    def step(self, event: Any) -> None:
        """One step of the protocol, and what it asks for."""
        assert self.me
        self.me, effects = disk.step(self.me, event)
        for effect in effects:
            match effect:
                case Send("disks", message):
                    for worker in self.workers:
                        worker.requests.put(message)
                case Send("sender", message):
                    self.sender.requests.put(message)
                case Wait(why, timer):
                    self.alarm = time.monotonic() + self.patience(why), why, Timeout(timer)
                case Decide():
                    self.alarm, self.lost, self.missed = None, 0, 0

    def patience(self, why: str) -> float:
        """How long to wait, in seconds; each time in vain twice as long.

        After a rival: at random, so that two who keep getting in each other's way will one day not.
        How long a ballot takes, the disks have shown in the phase that is over now.
        """
        now = time.monotonic()
        if self.alarm and self.alarm[1] == "answers":  # they have come
            self.pace = max(SLOWEST, now - self.asked)
        self.asked = now
        if why == "rival":
            self.lost += 1
            return self.chance.random() * 2 * self.pace * 2.0 ** min(self.lost, 7)
        return max(LOST, 8 * self.pace) * 2.0 ** min(self.missed, 5)

    def until(self, done: Callable[[], Any]) -> Any:
        """Handle what comes until something is known."""
        word = time.monotonic() + EVERY
        while not (known := done()):
            alarm = self.alarm[0] if self.alarm else word
            wake = min(word, alarm, word if self.deadline is None else self.deadline)
            try:
                self.hear(*self.inbox.get(timeout=max(0.0, wake - time.monotonic())))
                continue
            except queue.Empty:
                now = time.monotonic()
            if self.deadline is not None and now >= self.deadline:
                raise Undecided(self.state("No decision is known"))
            if self.alarm and now >= self.alarm[0]:
                (_, why, timer), self.alarm = self.alarm, None
                self.missed += why == "answers"
                self.step(timer)
            if now >= word:
                word = now + EVERY
                self.tell(self.state("Still waiting"))
        return known

    def hear(self, worker: Worker, answer: Any) -> None:
        """An answer, or the reason why there is none."""
        if isinstance(answer, OSError | Damaged):
            self.report(worker, answer)
            return
        if isinstance(answer, Exception):
            raise answer
        self.report(worker, None)
        self.check(worker)
        if self.me:
            self.sender = worker
            assert worker.folder.label
            self.step(Answer(str(worker.folder.label.disk), answer))

    def check(self, worker: Worker) -> None:
        """All disks are of one shelf, and each is another one. Raises ValueError if not."""
        known = [one for one in self.workers if one.folder.label]
        label = worker.folder.label
        self.label = self.label or label
        assert label and self.label
        for one in known:
            its = one.folder.label
            assert its
            if its.shelf != label.shelf:
                raise ValueError(f"{one.folder.path} and {worker.folder.path} are of two shelves")
            if one is not worker and its.disk == label.disk:
                paths = f"{one.folder.path} and {worker.folder.path}"
                raise ValueError(f"{paths} are the same disk, or one is a copy of the other")

    def report(self, worker: Worker, error: Exception | None) -> None:
        """Tell when a disk fails, fails in another way, or comes back."""
        trouble = getattr(error, "strerror", None) or (str(error) if error else None)
        before, worker.trouble = worker.trouble, trouble
        if trouble and trouble != before:
            self.tell(f"disk {worker.folder.path} does not answer: {trouble}")
        elif before not in (trouble, UNHEARD):
            self.tell(f"disk {worker.folder.path} answers again")
        if not self.label and all(one.trouble not in (None, UNHEARD) for one in self.workers):
            raise ValueError(self.state("Not one disk of a shelf is there") + NEW)

    def state(self, what: str) -> str:
        """One sentence on where we are."""
        bad = [f"{one.folder.path}: {one.trouble}" for one in self.workers if one.trouble]
        answering = len(self.workers) - len(bad)
        said = f"{what}: {answering} of {len(self.workers)} disks answer"
        if self.label:
            quorums = self.label.quorums
            said += f", {max(quorums.phase1, quorums.phase2)} are needed"
        return said + "".join(f"; {one}" for one in bad)
