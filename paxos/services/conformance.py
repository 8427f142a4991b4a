"""Does a storage service keep the promises of an append-only list? Anybody may ask.

Several processes write to one new list, read it, are stopped in the middle, and begin again; then all
that they saw is laid side by side (`promises`). A promise can be refuted, and never be shown to be kept.
"""

import asyncio
import contextlib
import importlib.metadata
import platform
import random
import secrets
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from .contract import AppendOnlyList, ServiceError
from .crews import Processes, Tasks
from .folders import path_of
from .promises import Checked, Event, Failed, Judge, Tried, Verdict, quantiles
from .registry import OFFERS, open_list
from .trials import Opener, Plan

Tell = Callable[[str, float], None]
LAST = 5.0  # seconds: without a look at the end nothing is known of what was acknowledged
WEIGHTS = {"alone": 2, "race": 8, "crowd": 4, "lost": 4, "killed": 2, "large": 4, "last": 3}


@dataclass(slots=True)
class Report:
    """What came of it."""

    scheme: str
    place: str  # what was written lies there
    fresh: bool
    processes: int
    names: int
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    errors: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    times: Mapping[str, tuple[int, float, float, float]] = field(default_factory=dict)
    seconds: float = 0.0
    cut: tuple[str, ...] = ()  # trials for which there was no time
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def refuted(self) -> list[str]:
        return [name for name, one in self.verdicts.items() if one.refuted]


class Suite:
    """One examination: the trials one after the other, and what was seen in them."""

    def __init__(self, report: Report, crew: Any, end: float, tell: Tell) -> None:
        self.report, self.crew, self.end, self.tell = report, crew, end, tell
        self.events = list[Event]()
        self.cut = list[str]()

    def run(self) -> None:
        names, count = self.report.names, self.report.processes
        for name, weight in WEIGHTS.items():
            rest = list(WEIGHTS.values())[list(WEIGHTS).index(name) :]
            now = time.monotonic()
            end = now + max(0.0, self.end - now) * weight / sum(rest)
            if now >= self.end:
                self.cut.append(name)
                if name != "last":
                    continue
                end = now + LAST
            plan = Plan(name, end=end, pause=self.pause(), known=self.known())
            if name == "alone":
                self.trial([replace(plan, names=names)], 40)
                if self.wrong():
                    self.trial([replace(plan, trial="last", end=end + LAST)], 1)
                    break  # wrong even so: what many find would tell nothing new
            elif name == "race":
                self.trial([replace(plan, names=names)] * count, 2 * names * count)
            elif name in ("crowd", "large"):
                readers = max(1, count // 4) if name == "crowd" else max(1, count - 2)
                each = -(-names // max(1, count - readers)) if name == "crowd" else names // 50 + 2
                self.crowd(replace(plan, names=each), readers)
            elif name == "lost":
                each = max(3, names // count)
                self.trial([replace(plan, names=each)] * count, 2 * each * count)
            elif name == "killed":
                self.killed(plan, 2 + names // 500)
            else:
                self.crew.renew(0)  # one of them is a new process
                self.trial([plan] * count, count)

    def wrong(self) -> bool:
        """Is something refuted already?"""
        verdicts = Judge(self.events, fresh=False).verdicts.items()
        return any(one.refuted for name, one in verdicts if name != "place")

    def crowd(self, plan: Plan, readers: int) -> None:
        writers = max(1, self.report.processes - readers)
        plans = [plan] * writers + [replace(plan, reads=True)] * readers
        self.trial(plans, 3 * writers * plan.names)

    def killed(self, plan: Plan, times: int) -> None:
        """A process that is killed while it appends, and a new one that goes on where it was."""
        for number in range(times):
            end = time.monotonic() + max(0.0, plan.end - time.monotonic()) / (times - number)
            kill = random.random() * 3 * plan.pause
            if isinstance(self.crew, Processes):
                its = replace(plan, trial="doomed", end=end)
                self.trial([its], 20, kill)
            known = random.randint(0, self.known())
            self.trial([replace(plan, trial="again", end=end, known=known)], 4)

    def trial(self, plans: list[Plan], expected: int, kill: float | None = None) -> None:
        name, began = plans[0].trial, time.monotonic()
        self.tell(name, 0.0)
        for done, event in enumerate(self.crew.all(plans, kill), 1):
            self.events.append(event)
            self.tell(name, min(1.0, done / expected))
        if kill is None and time.monotonic() >= plans[0].end > began:
            self.cut.append(name)

    def pause(self) -> float:
        """How long an append takes that is alone."""
        times = [
            one.ended - one.begun
            for one in self.events
            if isinstance(one, Tried) and one.outcome == "told" and one.phase == "alone"
        ]
        return median(times) if times else 0.05

    def known(self) -> int:
        """So many entries are there at least, by what was acknowledged."""
        told = (one.position for one in self.events if isinstance(one, Tried))
        return max((one for one in told if one is not None), default=-1) + 1


def examine(
    url: str,
    processes: int = 8,
    names: int = 200,
    tell: Tell = lambda what, part: None,
    seconds: float = 600.0,
    opened: Opener = open_list,
) -> Report:
    """Try to refute each promise, in a new list inside the place of a URL; it takes at most about `seconds`.

    Raises ServiceError where nothing can be tried. Not to be called from a running event loop, and from a
    script only under `if __name__ == "__main__"`: processes are started.
    """
    if processes < 2 or names < 1 or not seconds > 0:
        raise ServiceError("it takes two processes, a name and some seconds", "caller")
    began, run = time.monotonic(), secrets.token_hex(8)
    place, fresh, wrong = asyncio.run(prepare(url, f"check-{run}", min(seconds, 120.0), opened))
    report = Report(url.partition(":")[0], place, fresh, processes, names)
    kind = Tasks if report.scheme == "memory" else Processes
    crew = kind(processes, run, place, opened)
    suite = Suite(report, crew, began + seconds, tell)
    try:
        suite.events.append(Checked("place", wrong))
        suite.run()
    finally:
        crew.stop()
        clean(place)
    report.verdicts = Judge(suite.events, fresh).verdicts
    failed = (one for one in suite.events if isinstance(one, Failed))
    report.errors = Counter((one.what, one.blame, one.retry) for one in failed)
    report.times, report.cut = quantiles(suite.events), tuple(dict.fromkeys(suite.cut))
    report.seconds, report.versions = time.monotonic() - began, versions(report.scheme)
    return report


async def prepare(url: str, name: str, patience: float, opened: Opener) -> tuple[str, bool, str]:
    """Make a new list: its URL, whether it promises to be fresh, and what its own check says."""
    try:
        async with asyncio.timeout(patience):
            async with opened(url) as door:
                place = await door.beside(name)
                if place.startswith(url.partition("?")[0]) and not place.startswith("gdrive:"):
                    await door.create()
            async with opened(place) as door:
                await door.create()
                wrong = await refusal(door)
                if not wrong and await door.fetch():
                    raise ServiceError("the list is not empty: name an empty place", "caller")
                return place, door.fresh, wrong
    except TimeoutError:
        what = f"no answer in {patience:g} s, when a list was to be made"
        raise ServiceError(what, "network", retry=True) from None


async def refusal(door: AppendOnlyList) -> str:
    """What an adapter has against its place; "" if nothing. An error that is no refusal is raised."""
    try:
        await door.check()
    except ServiceError as error:
        if error.blame != "service" or error.retry or error.unsure:
            raise
        return str(error)
    return ""


def clean(place: str) -> None:
    """Remove what was written, where that is no more than files of this machine."""
    with contextlib.suppress(ServiceError):
        if place.startswith("file:"):
            shutil.rmtree(path_of(place), ignore_errors=True)
        elif place.startswith("sqlite:"):
            for end in ("", "-wal", "-shm"):
                path = path_of(place)
                path.with_name(path.name + end).unlink(missing_ok=True)


def versions(scheme: str) -> dict[str, str]:
    """What this was run with."""
    found = {"Python": platform.python_version(), "system": platform.platform()}
    offer = OFFERS.get(scheme)
    if scheme == "sqlite":
        found["SQLite"] = sqlite3.sqlite_version
    elif offer and offer.needs and not offer.needs.startswith("!"):
        owners = importlib.metadata.packages_distributions().get(offer.needs.partition(".")[0], [])
        names = [offer.needs.replace(".", "-"), *owners]
        for name in names:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(name)
                break
    return found
