"""The long run: clients that are killed, services that are stopped, and at the end one log.

Eight processes append through three kinds of service: a folder, a database, and a WebDAV server. Each
service in turn is taken away and brought back; clients are killed with SIGKILL, and come back as others.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dav_servers
from live_worker import acknowledged

from paxos.client import open as open_log
from paxos.drivers.merging import merge
from paxos.protocol.events import Decide
from paxos.trace import Trace, loads
from paxos.verifying import Found, verify

HERE = Path(__file__).parent
NAMES = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hana")


@dataclass
class Told:
    """What happened. Times are in seconds since the beginning."""

    entries: int = 0
    took: float = 0.0
    outages: list[tuple[str, float, float]] = field(default_factory=list)  # (service, from, to)
    lives: list[tuple[str, float, float, bool]] = field(default_factory=list)  # (.., killed?)
    found: Found | None = None
    log: list[str] = field(default_factory=list)
    trace: Trace | None = None
    grown: list[tuple[float, int]] = field(default_factory=list)  # (when, entries decided)


class Service:
    """One of the three: where it is, and how to take it away and bring it back."""

    def __init__(self, name: str, url: str, down: Callable[[], Any], up: Callable[[], Any]) -> None:
        self.name, self.url, self.down, self.up = name, url, down, up


@contextmanager
def three(home: Path) -> Iterator[list[Service]]:
    """A folder, a database and a WebDAV server, all of whose content outlives an outage."""
    folder, base = home / "folder", home / "base.db"
    parts = [home / f"base.db{end}" for end in ("", "-wal", "-shm")]

    def away(paths: list[Path]) -> None:
        for path in paths:
            if path.exists():
                path.rename(path.with_name("away-" + path.name))

    def back(paths: list[Path]) -> None:
        for path in paths:
            if (hidden := path.with_name("away-" + path.name)).exists():
                hidden.rename(path)

    root = home / "server"
    root.mkdir()
    with dav_servers.nginx(root) as server:
        assert server.process

        def tell(number: int) -> None:
            subprocess.run(["pkill", f"-{number}", "-s", str(server.process.pid)], check=False)

        yield [
            Service("folder", f"file://{folder}", lambda: away([folder]), lambda: back([folder])),
            Service("SQLite", f"sqlite://{base}", lambda: away(parts), lambda: back(parts)),
            Service(
                *("WebDAV", server.at("log")),
                lambda: tell(signal.SIGSTOP),
                lambda: tell(signal.SIGCONT),
            ),
        ]


class Run:
    """A run in progress."""

    def __init__(self, home: Path, count: int, chunk: int, seed: int, kills: int) -> None:
        self.home, self.count, self.chunk, self.kills = home, count, chunk, kills
        self.chance, self.told = random.Random(seed), Told(len(NAMES) * count)
        self.lives = dict.fromkeys(NAMES, 0)
        self.running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self.began, self.clock = time.monotonic(), time.time()

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def begin(self, name: str) -> None:
        """A new life of a client."""
        self.lives[name] += 1
        options = [str(self.lives[name]), str(self.home), str(self.count), str(self.chunk)]
        urls = [one.url for one in self.services]
        command = [sys.executable, str(HERE / "live_worker.py"), name, *options, *urls]
        said = (self.home / f"{name}.said").open("ab")
        self.running[name] = subprocess.Popen(command, stdout=said, stderr=said), self.now
        said.close()

    def ended(self) -> None:
        """Note who is done. Raises RuntimeError where a client stopped with an error."""
        for name, (process, since) in list(self.running.items()):
            if process.poll() is not None:
                if process.returncode:
                    said = (self.home / f"{name}.said").read_text(errors="replace")
                    raise RuntimeError(f"{name} stopped with {process.returncode}: {said[-2000:]}")
                self.told.lives.append((name, since, self.now, False))
                del self.running[name]

    def busy(self, name: str) -> bool:
        """Has this client begun to do something?"""
        path = self.home / f"{name}.{self.lives[name]}.ndjson"
        return path.exists() and path.read_bytes().count(b"\n") > 8

    def kill(self, name: str) -> None:
        process, since = self.running.pop(name)
        process.kill()
        process.wait()
        if process.returncode == -signal.SIGKILL:
            self.told.lives.append((name, since, self.now, True))
            self.begin(name)
        else:
            self.told.lives.append((name, since, self.now, False))

    def run(self, services: list[Service], limit: float) -> Told:
        """All of it. Raises RuntimeError when it takes too long."""
        self.services = services
        asyncio.run(self.made())
        for name in NAMES:
            self.begin(name)
        try:
            self.misfortune(limit)
        finally:
            for one in services:
                one.up()
            for process, _ in self.running.values():
                process.kill()
                process.wait()
        self.told.took = self.now
        return self.judge()

    async def made(self) -> None:
        async with open_log(*(one.url for one in self.services), name="first"):
            pass

    def misfortune(self, limit: float) -> None:
        """Take services away in turn, and kill clients, until all entries are in the log."""
        turn, down, next_kill, change = 0, None, 0.7, 0.5
        while self.running:
            time.sleep(0.02)
            self.ended()
            if self.now > limit:
                raise RuntimeError(f"not done after {limit} s: {self.state()}")
            if self.now > change:
                if down:
                    down[0].up()
                    self.told.outages.append((down[0].name, down[1], self.now))
                    down, change = None, self.now + 0.3 + self.chance.random() / 2
                else:
                    down, turn = (self.services[turn % 3], self.now), turn + 1
                    down[0].down()
                    change = self.now + 0.7 + self.chance.random()
            if (
                self.kills
                and self.now > next_kill
                and (busy := sorted(filter(self.busy, self.running)))
            ):
                self.kill(self.chance.choice(busy))
                self.kills -= 1
                next_kill = self.now + 0.3 + self.chance.random() / 2
        if down:
            self.told.outages.append((down[0].name, down[1], self.now))

    def state(self) -> str:
        return ", ".join(f"{name}: {len(acknowledged(self.home, name))}" for name in NAMES)

    def judge(self) -> Told:
        """Everybody who opens anew reads the same log, and what was acknowledged is in it once."""
        logs = asyncio.run(self.read())
        if len({tuple(log) for log in logs}) != 1:
            raise RuntimeError("two readers have different logs")
        log = self.told.log = logs[0]
        for name in NAMES:
            acks = acknowledged(self.home, name)
            if len({text.split(".")[1] for _, text in acks}) != self.count:
                raise RuntimeError(f"{name} has {len(acks)} acknowledgements of {self.count}")
            for index, text in acks:
                if log[index] != text or log.count(text) != 1:
                    raise RuntimeError(f"{text} was acknowledged at {index} and is not there once")
        files = sorted(self.home.glob("*.ndjson"))
        texts = [one.read_text("utf-8") for one in files]
        traces = [loads(text, whole=False, states=False) for text in texts if "\n" in text]
        self.told.trace = merge([one for one in traces if one.records])
        self.told.found = verify(self.told.trace)
        self.told.grown = self.grown(self.told.trace)
        return self.told

    def grown(self, trace: Trace) -> list[tuple[float, int]]:
        """When the first client was told of each slot, and how many entries that made."""
        known, count, found = set[int](), 0, list[tuple[float, int]]()
        for step in trace.steps():
            for effect in step.effects:
                if isinstance(effect, Decide) and effect.value.slot not in known:
                    known.add(effect.value.slot)
                    count += len(effect.value.content)
                    found.append((step.at / 1000 - self.clock, count))
        return [(round(when, 3), many) for when, many in found if when < self.told.took]

    async def read(self) -> list[list[str]]:
        """The log, as three readers see it who have just been opened."""
        urls, logs = [one.url for one in self.services], []
        async with open_log(*urls, name="last", trace=self.home / "last.ndjson") as log:
            end = await log.append("the end")
        for number in range(3):
            trace = self.home / f"reader{number}.ndjson"
            async with open_log(*urls, name=f"reader{number}", trace=trace) as log:
                logs.append([])
                async for entry in log:
                    logs[-1].append(entry.text)
                    if entry.index == end:
                        break
        return logs


def long_run(
    home: Path,
    count: int = 125,
    chunk: int = 25,
    seed: int = 1,
    kills: int = 12,
    limit: float = 120,
) -> Told:
    """Eight processes, `count` entries each, to the end. Raises where anything is not as it must be."""
    with three(home) as services:
        return Run(home, count, chunk, seed, kills).run(services, limit)
