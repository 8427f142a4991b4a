"""Appends and decisions through storage services, beside what one would use instead, on one machine.

    python benchmarks/bench_services.py

First each service alone: an append, and a fetch of what is new. Then decisions with one, three and five
services: one client after phase 1, and several at once, all in one process. In the same run Disk Paxos on
folders, the four round trips of MetaSync on the same lists, and registers that are compared and set.
A server that cannot be had is skipped, with the reason.

A round trip is a request that waits for the one before it. A decision waits for a majority of services, so
the round trips that count are those of the slowest of the fastest majority.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import common

sys.path.insert(0, str(common.ROOT / "tests"))
import dav_servers
import object_servers
from peers import registers
from peers.metasync_live import MetaSync

from paxos.client import open as open_log
from paxos.services import blocks, disks
from paxos.services.registry import open_list

APPENDS, DECISIONS, CROWD, LONG, ROUNDS = 200, 100, 20, 5000, 3
THREE_KINDS = ("file", "sqlite", "S3 (SeaweedFS)")
STORES = {
    "memory": None,
    "file": None,
    "sqlite": None,
    "S3 (moto)": object_servers.moto,
    "S3 (SeaweedFS)": object_servers.seaweed,
    "Azure (Azurite)": object_servers.azurite,
    "Azure append blob (Azurite)": object_servers.azurite,
    "WebDAV (nginx)": dav_servers.nginx,
    "git over HTTP": dav_servers.git,
}


@contextlib.contextmanager
def store(name: str, home: Path) -> Iterator[str]:
    """The URL of an empty list of this kind. Raises Missing where its server cannot be had."""
    where = Path(tempfile.mkdtemp(dir=home))
    start = STORES[name]
    if start is None:
        yield {"memory": f"memory:{where}", "file": f"file://{where}/list"}.get(
            name, f"sqlite://{where}/base.db"
        )
        return
    with start(where) if start in (dav_servers.nginx, dav_servers.git) else start() as server:
        os.environ.update(server.variables)
        if start is dav_servers.git:
            dav_servers.repository(where, "list")
        url = server.at("list")
        yield url.replace("az://", "az-append://") if "append blob" in name else url


async def alone(url: str, count: int) -> dict[str, float]:
    """Milliseconds of an append where the end is known, and of a fetch that finds nothing new."""
    appends, fetches = [], []
    async with open_list(url) as its:
        await its.create()
        await its.append(b"first")
        for number in range(count):
            begun = time.perf_counter()
            await its.append(b"%d %s" % (number, b"x" * 200))
            appends.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await its.fetch(number + 1)
            fetches.append(time.perf_counter() - begun)
    found = {}
    for name, times in (("append", appends), ("fetch", fetches)):
        found[f"{name}_p50"] = round(median(times) * 1000, 3)
        found[f"{name}_p99"] = round(quantiles(times, n=100, method="inclusive")[98] * 1000, 3)
    return found


def waited(before: list[int], after: list[int]) -> int:
    """Of the round trips on each service, those that a decision has waited for."""
    return sorted(b - a for a, b in zip(before, after, strict=True))[len(before) // 2]


async def decisions(
    urls: list[str], count: int, clients: int = 1, batch: int = 1, length: int = 0
) -> dict[str, float]:
    """Entries decided in a second, and what each asks of the services.

    `batch`: of so many a client wishes for at once. `length`: so many slots are decided before.
    """
    async with contextlib.AsyncExitStack() as stack:
        logs = [
            await stack.enter_async_context(open_log(*urls, name=f"c{number}"))
            for number in range(clients)
        ]
        await logs[0].append("phase 1")
        for number in range(length):
            await logs[0].append(f"before {number}")

        async def work(log: Any) -> None:
            for number in range(count // clients // batch):
                wishes = (log.append(f"entry {number} {one}") for one in range(batch))
                await asyncio.gather(*wishes)

        before = [log.status() for log in logs]
        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(work, logs))
        spent, cpu = time.perf_counter() - begun, time.process_time() - cpu
        after = [log.status() for log in logs]
    done, requests, trips = count // clients // batch * batch * clients, 0, 0
    for was, now in zip(before, after, strict=True):
        requests += sum(one.requests for one in now) - sum(one.requests for one in was)
        trips += waited([one.trips for one in was], [one.trips for one in now])
    each = (requests / done, trips / done)
    return {**figures(done / spent, *each), "cpu_ms": round(cpu / done * 1000, 3)}


def figures(rate: float, requests: float, trips: float) -> dict[str, float]:
    """What is told of all rivals alike."""
    return {"rate": round(rate, 1), "requests": round(requests, 2), "trips": round(trips, 2)}


def disk_paxos(home: Path, count: int, clients: int = 1) -> dict[str, float]:
    """A log on three folders, by Disk Paxos: writes and reads of one disk are one after the other."""
    paths = [home / f"disk{number}" for number in range(3)]
    for path in paths:
        path.mkdir(parents=True)
    blocks.create(paths, many=True)
    served = 0

    def serve(self: Any, request: Any) -> bool:
        nonlocal served
        served += 1
        return plain(self, request)

    def work(shelf: disks.Disks) -> None:
        for number in range(count // clients):
            shelf.append([f"entry {number} of {shelf.name}"])

    plain, disks.Worker.serve = disks.Worker.serve, serve  # type: ignore[method-assign]
    try:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(clients) as pool:
            shelves = [
                stack.enter_context(disks.Disks(paths, f"c{number}")) for number in range(clients)
            ]
            shelves[0].append(["phase 1"])
            before, begun = served, time.perf_counter()
            list(pool.map(work, shelves))
            spent, asked = time.perf_counter() - begun, served - before
    finally:
        disks.Worker.serve = plain  # type: ignore[method-assign]
    done = count // clients * clients
    return figures(done / spent, asked / done, asked / done / 3)


async def metasync(urls: list[str], count: int, clients: int = 1) -> dict[str, float]:
    """pPaxos as MetaSync has it: prepare, fetch, accept, fetch, for each decision."""
    async with contextlib.AsyncExitStack() as stack:
        them = [
            await stack.enter_async_context(MetaSync(urls, f"c{number}"))
            for number in range(clients)
        ]

        async def work(one: MetaSync) -> None:
            number = 0
            for wish in range(count // clients):
                mine = f"entry {wish} of {one.name}"
                while await one.decide(number, mine) != mine:
                    number += 1  # a rival's: go on to the next one
                number += 1

        begun = time.perf_counter()
        await asyncio.gather(*map(work, them))
        spent = time.perf_counter() - begun
        await asyncio.gather(*(task for one in them for task in one.running))
        requests = sum(its.requests for one in them for its in one.lists)
        trips = sum(waited([0] * len(urls), [its.trips for its in one.lists]) for one in them)
    done = count // clients * clients
    return figures(done / spent, requests / done, trips / done)


async def register(url: str, count: int, clients: int = 1) -> dict[str, float]:
    """Compare and set: one request where nobody else writes."""
    begun = time.perf_counter()
    requests = await registers.rate(url, count, clients)
    spent, done = time.perf_counter() - begun, count // clients * clients
    return figures(done / spent, requests / done, requests / done)


def alone_each(home: Path, appends: int) -> dict[str, Any]:
    """Each store alone."""
    found: dict[str, Any] = {}
    for name in STORES:
        try:
            with store(name, home) as url:
                found[name] = asyncio.run(alone(url, appends))
        except (object_servers.Missing, RuntimeError) as why:
            found[name] = {"skipped": str(why)[:200]}
    return found


class Comparison:
    """Ours and the others, in one run. Lists are new each time."""

    def __init__(self, home: Path, count: int, crowd: int, length: int) -> None:
        self.home, self.count, self.crowd, self.length = home, count, crowd, length
        self.found: dict[str, list[dict[str, float]]] = {}

    def place(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.home))

    def folders(self, many: int) -> list[str]:
        place = self.place()
        return [f"file://{place}/{number}" for number in range(many)]

    @staticmethod
    def anew(url: str, mark: str) -> str:
        """Another place in the same store."""
        return url.replace("/list", f"/list{mark}").replace("/base.db", f"/base{mark}.db")

    def note(self, name: str, found: Any) -> None:
        its = found if isinstance(found, dict) else asyncio.run(found)
        self.found.setdefault(name, []).append(its)

    def round(self, kinds: list[str]) -> None:
        """All of them once. `kinds`: a place in each of three stores."""
        count, turn = self.count, len(self.found.get("ours, 1 folder", ()))
        for many in (1, 3, 5):
            name = f"ours, {many} folder{'s' * (many > 1)}"
            self.note(name, decisions(self.folders(many), count))
        self.note(
            "ours, 3 folders, 16 wishes at a time",
            decisions(self.folders(3), 16 * count, batch=16),
        )
        if kinds:
            urls = [self.anew(kind, f"{turn}") for kind in kinds]
            self.note("ours, folder + SQLite + S3", decisions(urls, count))
            self.note("ours, one S3", decisions([self.anew(kinds[2], f"{turn}-one")], count))
        self.note("Disk Paxos, 3 folders", disk_paxos(self.place(), count))
        self.note("MetaSync's pPaxos, 3 folders", metasync(self.folders(3), count))
        self.registers(kinds, turn, 1)
        memories = [f"memory:{self.place()}/{number}" for number in range(3)]
        self.note("ours, 3 memories, no service", decisions(memories, 10 * count))
        if not turn:
            memories, name = [f"{one}-long" for one in memories], f"after {self.length:,} decisions"
            self.note(f"the same, {name}", decisions(memories, 10 * count, length=self.length))
        for clients in (2, 4, 8):
            self.contended(clients, kinds, turn)

    def contended(self, clients: int, kinds: list[str], turn: int) -> None:
        count, many = self.crowd * clients, f"{clients} at once"
        self.note(f"ours, 3 folders, {many}", decisions(self.folders(3), count, clients))
        self.note(f"Disk Paxos, 3 folders, {many}", disk_paxos(self.place(), count, clients))
        self.note(f"MetaSync, 3 folders, {many}", metasync(self.folders(3), count, clients))
        if clients == 4:
            self.registers(kinds, turn, clients)

    def registers(self, kinds: list[str], turn: int, clients: int) -> None:
        urls = {"a folder": self.folders(1)[0], "SQLite": f"sqlite://{self.place()}/base.db"}
        if kinds:
            urls["S3"] = self.anew(kinds[2], f"{turn}-register-{clients}")
        for name, url in urls.items():
            more, count = (
                ("", self.count) if clients == 1 else (f", {clients} at once", 20 * clients)
            )
            self.note(f"a register in {name}{more}", register(url, count, clients))

    def medians(self) -> dict[str, dict[str, float]]:
        return {
            name: {key: round(median(one[key] for one in all_), 3) for key in all_[0]}
            for name, all_ in self.found.items()
        }


def measure(
    appends: int, count: int, crowd: int, length: int, rounds: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each store alone; and decisions, in one run: all in turns, so that a busy moment hits all."""
    with (
        tempfile.TemporaryDirectory(dir=common.ROOT / "build") as folder,
        contextlib.ExitStack() as stack,
    ):
        home = Path(folder)
        stores = alone_each(home, appends)
        compared, made = Comparison(home, count, crowd, length), dict[str, Any]()
        try:
            kinds = [stack.enter_context(store(name, home)) for name in THREE_KINDS]
        except (object_servers.Missing, RuntimeError) as why:
            kinds, made["ours, folder + SQLite + S3"] = [], {"skipped": str(why)[:200]}
        for _ in range(rounds):
            compared.round(kinds)
        return stores, {**compared.medians(), **made}


def tables(stores: dict[str, Any], made: dict[str, Any]) -> list[str]:
    head = ("one service", "append p50, ms", "p99", "fetch p50, ms", "p99")
    each = ("append_p50", "append_p99", "fetch_p50", "fetch_p99")
    rows = [
        (name, *(f"{its[one]:.2f}" for one in each))
        for name, its in stores.items()
        if "skipped" not in its
    ]
    ours = made["ours, 3 folders"]["rate"]
    second = ("decisions", "a second", "times ours", "requests each", "round trips each")
    more = [
        (name, f"{its['rate']:,.0f}", f"{its['rate'] / ours:.2f}", its["requests"], its["trips"])
        for name, its in made.items()
        if "skipped" not in its
    ]
    return [*common.rows(head, *rows), "", *common.rows(second, *more)]


def main() -> None:
    (common.ROOT / "build").mkdir(exist_ok=True)
    stores, made = measure(APPENDS, DECISIONS, CROWD, LONG, ROUNDS)
    about = {"decisions": DECISIONS, "rounds": ROUNDS, "length": LONG}
    common.write("services", tables(stores, made), {**stores, **made}, **about)


if __name__ == "__main__":
    main()
