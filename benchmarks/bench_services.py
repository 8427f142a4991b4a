"""Appends and decisions through storage services, beside what one would use instead, on one machine.

    python benchmarks/bench_services.py

First each service alone: an append, and a fetch of what is new. Then decisions with one, three and five
services, one client after phase 1, and several at once; and in the same run Disk Paxos on folders, the
four round trips of MetaSync on the same lists, and a register that is compared and set in one database.
A server that cannot be had is skipped, with the reason.
"""

import asyncio
import contextlib
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import common

sys.path.insert(0, str(common.ROOT / "tests"))
import dav_servers
import object_servers
from peers.metasync_live import MetaSync

from paxos.client import open as open_log
from paxos.services import blocks, disks
from paxos.services.registry import open_list

APPENDS, DECISIONS, CROWD = 60, 100, 20
STORES = {
    "memory": None,
    "file": None,
    "sqlite": None,
    "S3 (moto)": object_servers.moto,
    "S3 (SeaweedFS)": object_servers.seaweed,
    "Azure (Azurite)": object_servers.azurite,
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
        yield server.at("list")


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
        found[f"{name}_p50"] = round(median(times) * 1000, 2)
        found[f"{name}_p99"] = round(quantiles(times, n=100)[98] * 1000, 2)
    return found


async def decisions(urls: list[str], count: int, clients: int = 1) -> dict[str, float]:
    """Decisions a second, and what each asks of the services."""
    async with contextlib.AsyncExitStack() as stack:
        logs = []
        for number in range(clients):
            log = open_log(*urls, name=f"c{number}")
            logs.append(await stack.enter_async_context(log))
        await logs[0].append("phase 1")

        def asked() -> tuple[int, int]:
            status = [one for log in logs for one in log.status()]
            trips = max(one.trips for one in logs[0].status())
            return sum(one.requests for one in status), trips

        before, begun, cpu = asked(), time.perf_counter(), time.process_time()

        async def work(log: Any) -> None:
            for number in range(count // clients):
                await log.append(f"entry {number}")

        await asyncio.gather(*map(work, logs))
        spent, cpu, after = time.perf_counter() - begun, time.process_time() - cpu, asked()
    done = count // clients * clients
    return {
        "rate": round(done / spent, 1),
        "requests": round((after[0] - before[0]) / done, 2),
        "trips": round((after[1] - before[1]) / done, 2) if clients == 1 else 0,
        "cpu_ms": round(cpu / done * 1000, 3),
    }


def disk_paxos(home: Path, count: int) -> dict[str, float]:
    """A log on three folders, by Disk Paxos: writes and reads of one disk are one after the other."""
    paths = [home / f"disk{number}" for number in range(3)]
    for path in paths:
        path.mkdir()
    blocks.create(paths, many=True)
    served = 0

    def serve(self: Any, request: Any) -> bool:
        nonlocal served
        served += 1
        return plain(self, request)

    plain, disks.Worker.serve = disks.Worker.serve, serve  # type: ignore[method-assign]
    try:
        with disks.Disks(paths, "c0") as shelf:
            shelf.append(["phase 1"])
            before, begun = served, time.perf_counter()
            for number in range(count):
                shelf.append([f"entry {number}"])
            spent, asked = time.perf_counter() - begun, served - before
    finally:
        disks.Worker.serve = plain  # type: ignore[method-assign]
    each = asked / count
    return {
        "rate": round(count / spent, 1),
        "requests": round(each, 2),
        "trips": round(each / 3, 2),
    }


async def metasync(urls: list[str], count: int) -> dict[str, float]:
    """pPaxos as MetaSync has it: prepare, fetch, accept, fetch, for each decision."""
    async with MetaSync(urls) as them:
        begun = time.perf_counter()
        for number in range(count):
            await them.decide(number, f"entry {number}")
        spent = time.perf_counter() - begun
        asked, trips = sum(one.requests for one in them.lists), max(one.trips for one in them.lists)
    return {
        "rate": round(count / spent, 1),
        "requests": round((asked - len(urls)) / count, 2),
        "trips": round(trips / count, 2),
    }


def register(home: Path, count: int) -> dict[str, float]:
    """Compare and set in one database: read the version, write if it is still that one."""
    path = home / "register.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("CREATE TABLE register (version INTEGER, value TEXT)")
        base.execute("INSERT INTO register VALUES (0, '')")
        begun = time.perf_counter()
        for number in range(count):
            (version,) = base.execute("SELECT version FROM register").fetchone()
            change = "UPDATE register SET version = ?, value = ? WHERE version = ?"
            base.execute(change, (version + 1, f"entry {number}", version))
        spent = time.perf_counter() - begun
    return {"rate": round(count / spent, 1), "requests": 2.0, "trips": 2.0}


def measure(appends: int, count: int, crowd: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each store alone; and decisions, in one run."""
    stores: dict[str, Any] = {}
    made: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=common.ROOT / "build") as folder:
        home = Path(folder)
        for name in STORES:
            try:
                with store(name, home) as url:
                    stores[name] = asyncio.run(alone(url, appends))
            except (object_servers.Missing, RuntimeError) as why:
                stores[name] = {"skipped": str(why)[:200]}

        def folders(many: int) -> list[str]:
            place = Path(tempfile.mkdtemp(dir=home))
            return [f"file://{place}/{number}" for number in range(many)]

        for many in (1, 3, 5):
            urls = folders(many)
            made[f"ours, {many} folder{'s' * (many > 1)}"] = asyncio.run(decisions(urls, count))
        with contextlib.ExitStack() as stack:
            names = ("file", "sqlite", "WebDAV (nginx)")
            with contextlib.suppress(object_servers.Missing):
                urls = [stack.enter_context(store(name, home)) for name in names]
                made["ours, folder + SQLite + WebDAV"] = asyncio.run(decisions(urls, count))
        made["Disk Paxos, 3 folders"] = disk_paxos(home, count)
        made["MetaSync's pPaxos, 3 folders"] = asyncio.run(metasync(folders(3), count))
        made["a register in SQLite"] = register(home, count)
        memories = [f"memory:{home}/{number}" for number in range(3)]
        made["ours, 3 memories, no service"] = asyncio.run(decisions(memories, 10 * count))
        for clients in (2, 4, 8):
            name = f"ours, 3 folders, {clients} at once"
            made[name] = asyncio.run(decisions(folders(3), crowd * clients, clients))
    return stores, made


def tables(stores: dict[str, Any], made: dict[str, Any]) -> list[str]:
    head = ("one service", "append p50, ms", "p99", "fetch p50, ms", "p99")
    each = ("append_p50", "append_p99", "fetch_p50", "fetch_p99")
    rows = [
        (name, *(its[one] for one in each)) for name, its in stores.items() if "skipped" not in its
    ]
    ours = made["ours, 3 folders"]["rate"]
    second = ("decisions", "a second", "times ours", "requests each", "round trips each")
    more = [
        (name, its["rate"], f"{its['rate'] / ours:.2f}", its["requests"], its["trips"] or "")
        for name, its in made.items()
    ]
    return [*common.rows(head, *rows), "", *common.rows(second, *more)]


def main() -> None:
    (common.ROOT / "build").mkdir(exist_ok=True)
    stores, made = measure(APPENDS, DECISIONS, CROWD)
    common.write("services", tables(stores, made), {**stores, **made}, decisions=DECISIONS)


if __name__ == "__main__":
    main()
