"""Decisions a second through folders: Disk Paxos beside what one would use in a single shared folder.

    python benchmarks/bench_disk.py

Each decision is one of its own, and safe from a power cut before anybody is told. Alone: one process
decides. At once: four processes want each decision, and it counts when all four have been told.

The folders are made where FOLDER says, else in build/: on the drive, not in a memory that only looks
like one. Our three disks are three folders of that one drive, so it works for three.
"""

import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from statistics import median
from typing import Any

import common

from paxos.services import blocks, disks

ROUNDS, ALONE, AT_ONCE, CROWD = 5, 40, 15, ("ann", "ben", "cleo", "dan")
Decide = Callable[[int, str, str], str]  # (which decision, who, what it wants) -> what is decided


# Ours.


def disk_paxos(folder: Path, decisions: int, number: int = 3) -> Decide:
    """A shelf for each decision. Disks are opened and left each time, as by a command."""
    shelves = [[folder / f"{which} {disk}" for disk in range(number)] for which in range(decisions)]
    for shelf in shelves:
        for disk in shelf:
            disk.mkdir()
        blocks.create(shelf)
    return lambda which, name, value: disks.decide(shelves[which], name, value)


def one_folder(folder: Path, decisions: int) -> Decide:
    return disk_paxos(folder, decisions, number=1)


class Log:
    """A log on three disks, which stay open. Decision k is the first entry that names k."""

    def __init__(self, folder: Path, decisions: int) -> None:
        self.paths = [folder / str(disk) for disk in range(3)]
        for path in self.paths:
            path.mkdir()
        blocks.create(self.paths, many=True)
        self.open: disks.Disks | None = None

    def __call__(self, which: int, name: str, value: str) -> str:
        if self.open is None:
            self.open = disks.Disks(self.paths, name)
            self.open.__enter__()
        log = self.open.append([f"{which} {value}"])
        return next(one.text for one in log if one.text.startswith(f"{which} ")).split(" ")[1]

    def close(self) -> None:
        if self.open:
            self.open.__exit__(None, None, None)


# What one would use in one folder.


def safe_write(path: Path, text: str) -> None:
    """A file that a power cut leaves old or new."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    os.fsync(file)
    os.close(file)


def writes(folder: Path, _: int) -> Decide:
    """No decision at all: one safe write, which is what all others are made of."""

    def decide(which: int, name: str, value: str) -> str:
        safe_write(folder / f"{which} {name}", value)
        return "nothing"

    return decide


def link(folder: Path, _: int) -> Decide:
    """Create if absent: whoever links its file to the name first has decided."""

    def decide(which: int, name: str, value: str) -> str:
        mine, decision = folder / f"{which} {name}", folder / str(which)
        if not decision.exists():
            with mine.open("w") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                decision.hardlink_to(mine)
            mine.unlink()
        sync(folder)
        return decision.read_text()

    return decide


def lock_file(folder: Path, _: int) -> Decide:
    """A lock file, as many programs make one. Killed with it in hand, nobody decides any more."""

    def decide(which: int, name: str, value: str) -> str:
        lock, decision = folder / f"{which}.lock", folder / str(which)
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                time.sleep(0.001)
        try:
            if not decision.exists():
                safe_write(decision, value)
            return decision.read_text()
        finally:
            lock.unlink()

    return decide


def sqlite(folder: Path, _: int) -> Decide:
    """A database in the folder, with the settings that it comes with."""
    with closing(sqlite3.connect(folder / "db")) as base, base:
        base.execute("CREATE TABLE decided (which INTEGER PRIMARY KEY, value TEXT)")

    def decide(which: int, name: str, value: str) -> str:
        with closing(sqlite3.connect(folder / "db", timeout=60)) as base:
            with base:
                base.execute("INSERT OR IGNORE INTO decided VALUES (?, ?)", (which, value))
            found = base.execute("SELECT value FROM decided WHERE which = ?", (which,))
            return str(found.fetchone()[0])

    return decide


PROGRAMS: dict[str, tuple[str, str, Callable[[Path, int], Any]]] = {
    "disk": ("ours: `decide`, three folders", "one folder", disk_paxos),
    "log": ("ours: `append`, three folders", "one folder", Log),
    "one": ("ours: `decide`, one folder", "nothing", one_folder),
    "link": ("create if absent (`link`)", "nothing", link),
    "lock": ("a lock file", "nothing", lock_file),
    "sqlite": ("SQLite", "nothing", sqlite),
    "write": ("one safe write, no decision", "", writes),
}


# The measurement.


def work(decide: Any, name: str, decisions: int, barrier: Any, told: Any) -> None:
    barrier.wait(60)
    told.put([decide(which, name, name) for which in range(decisions)])
    if isinstance(decide, Log):
        decide.close()


def rate(make: Callable[[Path, int], Any], names: tuple[str, ...], decisions: int) -> float:
    """Decisions a second. Raises RuntimeError where two were told different things."""
    context = multiprocessing.get_context("fork")
    where = os.environ.get("FOLDER", str(common.ROOT / "build"))
    Path(where).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where) as folder:
        decide = make(Path(folder), decisions)
        barrier, told = context.Barrier(len(names) + 1), context.SimpleQueue()
        running = [
            context.Process(target=work, args=(decide, name, decisions, barrier, told), daemon=True)
            for name in names
        ]
        for process in running:
            process.start()
        barrier.wait(60)
        started = time.perf_counter()
        answers = [told.get() for _ in running]
        spent = time.perf_counter() - started
        for process in running:
            process.join()
    if any(len(set(values)) > 1 for values in zip(*answers, strict=True)):
        raise RuntimeError(f"{make.__name__}: two were told different things")
    return decisions / spent


def measure(rounds: int, alone: int = ALONE, at_once: int = AT_ONCE) -> dict[str, dict[str, Any]]:
    """All programs in turns, so that a busy moment of the machine hits all."""
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name, (_, _, make) in PROGRAMS.items():
            rates.setdefault((name, "alone"), []).append(rate(make, CROWD[:1], alone))
            rates.setdefault((name, "at_once"), []).append(rate(make, CROWD, at_once))
    results: dict[str, dict[str, Any]] = {name: {} for name in PROGRAMS}
    for (name, how), found in rates.items():
        results[name][how] = round(max(found), 1)
        results[name][f"{how}_median"] = round(median(found), 1)
    return results


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    body = []
    for name, one in results.items():
        title, survives, _ = PROGRAMS[name]
        alone, together = (f"{one[how]:,.0f}" for how in ("alone", "at_once"))
        ratios = (f"{one[how] / results['disk'][how]:.1f}" for how in ("alone", "at_once"))
        numbers = [alone, next(ratios), together, next(ratios)]
        body.append((title, survives, *(numbers if survives else [*numbers[:2], "", ""])))
    header = ("program", "may be lost", "alone", "times ours", "four at once", "times ours")
    return common.rows(header, *body)


def main() -> None:
    results = measure(ROUNDS)
    common.write("disk", table(results), results, rounds=ROUNDS)


if __name__ == "__main__":
    main()
