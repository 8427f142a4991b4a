"""The long run: clients that are killed, services that are stopped, and at the end one log.

Eight processes append through three kinds of service: a folder, a database, and a WebDAV server, or one
of objects. Each service in turn is taken away and brought back: files are renamed, a server is stopped
and goes on, or is killed and started again. Clients are killed with SIGKILL, and come back as others.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count as counting
from pathlib import Path
from typing import Any
from unittest import mock

import dav_servers
import object_servers
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
    decided: list[float] = field(default_factory=list)  # when each entry was
    slots: int = 0
    requests: dict[str, int] = field(default_factory=dict)  # that clients made of each service


class Service:
    """One of the three: where it is, and how to take it away and bring it back."""

    def __init__(self, name: str, url: str, down: Callable[[], Any], up: Callable[[], Any]) -> None:
        self.name, self.url, self.down, self.up = name, url, down, up


class Process:
    """A server of ours. Its data outlives it. It is away in two ways, in turns: stopped, and killed."""

    def __init__(self, server: object_servers.Server) -> None:
        assert server.process
        self.process, self.port = server.process, server.port
        self.where, self.turn = Path(f"/proc/{self.process.pid}/cwd").readlink(), counting()
        self.killed = False

    def tell(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def down(self) -> None:
        self.killed = next(self.turn) % 2 == 1
        self.tell(signal.SIGKILL if self.killed else signal.SIGSTOP)

    def up(self) -> None:
        if not self.killed:
            self.tell(signal.SIGCONT)
            return
        self.killed = False
        self.process.wait()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self.where}
        self.process = subprocess.Popen(self.process.args, start_new_session=True, **quiet)

    def end(self) -> None:
        self.tell(signal.SIGKILL)
        self.process.wait()


THIRD = {"WebDAV": dav_servers.nginx, "S3": lambda _: object_servers.seaweed()}


@contextmanager
def three(home: Path, third: str) -> Iterator[list[Service]]:
    """A folder, a database and a server, all of whose content outlives an outage."""
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
    with THIRD[third](root) as server, mock.patch.dict(os.environ, server.variables):
        process = Process(server)
        try:
            yield [
                Service(
                    *("folder", f"file://{folder}"), lambda: away([folder]), lambda: back([folder])
                ),
                Service("SQLite", f"sqlite://{base}", lambda: away(parts), lambda: back(parts)),
                Service(third, server.at("log"), process.down, process.up),
            ]
        finally:
            process.end()


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
        if len(set(log)) != len(log):
            raise RuntimeError("an entry is in the log twice")
        ours = re.compile(rf"({'|'.join(NAMES)})\.\d+\.\d+|the end")
        if not all(ours.fullmatch(text) for text in log):
            raise RuntimeError("an entry is in the log that nobody appended")
        for name in NAMES:
            acks = acknowledged(self.home, name)
            if sorted(int(text.split(".")[1]) for _, text in acks) != list(range(self.count)):
                raise RuntimeError(f"{name} has {len(acks)} acknowledgements of {self.count}")
            for index, text in acks:
                if log[index] != text:
                    raise RuntimeError(f"{text} was acknowledged at {index} and is not there")
        files = sorted(self.home.glob("*.ndjson"))
        texts = [one.read_text("utf-8") for one in files]
        traces = [loads(text, whole=False, states=False) for text in texts if "\n" in text]
        self.told.trace = merge([one for one in traces if one.records])
        self.told.found = verify(self.told.trace)
        self.count_up(self.told.trace)
        return self.told

    def count_up(self, trace: Trace) -> None:
        """When the first client was told of each entry, and what was asked of each service."""
        slots, known, asked = set[int](), set[Any](), Counter[str]()
        for step in trace.steps():
            asked.update(self.named[one.to] for one in step.sent if one.to in self.named)
            for effect in step.effects:
                if isinstance(effect, Decide):
                    new = set(effect.value.content) - known
                    known |= new
                    slots.add(effect.value.slot)
                    self.told.decided += [round(step.at / 1000 - self.clock, 3)] * len(new)
        self.told.requests, self.told.slots = dict(asked), len(slots)

    async def read(self) -> list[list[str]]:
        """The log, as four readers see it who have just been opened, three of them without one service.

        These append first: where only one of their two lists has a vote, because the other was away, that
        slot may be decided or not, and nobody can tell by reading.
        """
        urls, logs = [one.url for one in self.services], []
        async with open_log(*urls, name="last", trace=self.home / "last.ndjson") as log:
            end = await log.append("the end")
            await log.read()
            names = {one.url: one.name for one in self.services}
            while any(one.list is None for one in log.status()):
                await asyncio.sleep(0.05)
            self.named = {one.list: names[one.url] for one in log.status()}
        for number in range(4):
            some = [url for url in urls if number == 3 or url != urls[number]]
            more: Any = {"trace": self.home / f"reader{number}.ndjson", "some": len(some) < 3}
            async with open_log(*some, name=f"reader{number}", **more) as log:
                logs.append([])
                await log.append(f"reader.{number}.1")
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
    third: str = "WebDAV",
) -> Told:
    """Eight processes, `count` entries each, to the end. Raises where anything is not as it must be."""
    with three(home, third) as services:
        return Run(home, count, chunk, seed, kills).run(services, limit)
