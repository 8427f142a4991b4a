"""Who does the trials of the conformance suite: processes, or tasks where a list is in one process only."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing import connection, get_context
from threading import BrokenBarrierError
from typing import Any

from .promises import Event, Failed
from .trials import Opener, Plan, Seat, act

STOP = "stop"
GRACE = 15.0  # seconds after the end of a trial: then a process hangs, and is killed


class Processes:
    """As many as take part, started anew, never forked: client libraries do not survive that."""

    def __init__(self, count: int, run: str, url: str, opened: Opener) -> None:
        self.context = get_context("spawn")
        self.count, self.given = count, (run, url, opened)
        self.who = 0  # of the next one that is begun
        self.places = dict[int, tuple[Any, Any]]()  # process, and our end of its pipe
        self.anew()

    def anew(self) -> None:
        """All of them anew. Who died may have held the lock of the barrier, so that too."""
        for process, _ in self.places.values():
            process.kill()
        for process, ours in self.places.values():
            process.join()
            ours.close()
        self.barrier = self.context.Barrier(self.count)
        for place in range(self.count):
            self.begin(place)

    def begin(self, place: int) -> None:
        ours, theirs = self.context.Pipe()
        its, self.who = (self.who, theirs, self.barrier, *self.given), self.who + 1
        process = self.context.Process(target=work, args=its, daemon=True)
        process.start()
        theirs.close()
        self.places[place] = process, ours

    def renew(self, place: int) -> None:
        """Kill a process, wherever it may be, and let another one take its place."""
        process, ours = self.places[place]
        process.kill()
        process.join()
        ours.close()
        self.begin(place)

    def all(self, plans: Sequence[Plan], kill: float | None = None) -> Iterator[Event]:
        """Do as planned, all at once; what they tell, as it comes. `kill`: seconds after the first word."""
        self.barrier.reset()
        open_, end = dict[Any, int](), max(plan.end for plan in plans) + GRACE
        for place, plan in enumerate(plans):
            open_[self.places[place][1]] = place
            with contextlib.suppress(OSError):
                self.places[place][1].send(plan)
        writers = {place for place, plan in enumerate(plans) if not plan.reads}
        killing: float | None = None
        while open_:
            until = end if killing is None else min(end, killing)
            ready: list[Any] = connection.wait(list(open_), max(0.0, until - time.monotonic()))
            if killing is not None and time.monotonic() >= killing:
                yield from self.rest(next(iter(open_)))
                return self.renew(0)
            if not ready and time.monotonic() >= end:
                yield Failed(
                    f"a process was not done {GRACE:.0f} s after its time", "service", True
                )
                return self.anew()
            for ours in ready:
                try:
                    event = ours.recv()
                except (EOFError, OSError):
                    yield Failed("a process of the suite has died", "service", False)
                    return self.anew()
                if event is None:
                    writers.discard(open_.pop(ours))
                    self.halt([] if writers else list(open_))
                    continue
                yield event
                if kill is not None and killing is None:
                    killing = time.monotonic() + kill
        return None

    @staticmethod
    def halt(readers: list[Any]) -> None:
        """Nobody writes any more."""
        for one in readers:
            with contextlib.suppress(OSError):
                one.send(STOP)

    @staticmethod
    def rest(ours: Any) -> Iterator[Event]:
        """What was told before the kill and is not yet read."""
        with contextlib.suppress(EOFError, OSError):
            while ours.poll():
                if (event := ours.recv()) is not None:
                    yield event

    def stop(self) -> None:
        for _, ours in self.places.values():
            with contextlib.suppress(OSError):
                ours.send(None)
        for process, ours in self.places.values():
            process.join(2)
            process.kill()
            process.join()
            ours.close()


def work(who: int, pipe: Any, barrier: Any, run: str, url: str, opened: Opener) -> None:
    """One process: do one plan after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us says when it is over

    async def meet() -> bool:
        try:
            barrier.wait(max(0.0, seat.left()))
        except BrokenBarrierError:
            return False
        return True

    async def leave() -> None:
        barrier.abort()

    number, chance = 0, random.Random(f"{run} {who}")
    with contextlib.suppress(EOFError, OSError):  # whoever started us is gone
        while (plan := pipe.recv()) is not None:
            if plan == STOP:  # we had come to an end before
                continue
            seat = Seat(
                who, run, url, opened, plan, pipe.send, meet, leave, pipe.poll, chance, number
            )
            asyncio.run(act(seat))
            number = seat.number
            pipe.send(None)


class Tasks:
    """The same in one process, for a list that is in no other."""

    def __init__(self, count: int, run: str, url: str, opened: Opener) -> None:
        self.numbers = [0] * count
        self.given = (run, url, opened)
        self.chance = random.Random(run)

    def all(self, plans: Sequence[Plan], kill: float | None = None) -> Iterator[Event]:
        yield from asyncio.run(self.together(plans))

    async def together(self, plans: Sequence[Plan]) -> list[Event]:
        events, writers = list[Event](), sum(not plan.reads for plan in plans)
        barrier = asyncio.Barrier(len(plans))

        async def meet() -> bool:
            try:
                await barrier.wait()
            except asyncio.BrokenBarrierError:
                return False
            return True

        async def sit(who: int, plan: Plan) -> None:
            nonlocal writers
            run, url, opened = self.given
            seat = Seat(
                who,
                run,
                url,
                opened,
                plan,
                events.append,
                meet,
                barrier.abort,
                lambda: not writers,
                self.chance,
                self.numbers[who],
            )
            await act(seat)
            self.numbers[who], writers = seat.number, writers - (not plan.reads)

        await asyncio.gather(*(sit(who, plan) for who, plan in enumerate(plans)))
        return events

    def renew(self, place: int) -> None:
        """A task cannot be killed."""

    def stop(self) -> None:
        """There is nothing to stop."""
