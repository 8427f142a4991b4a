"""Thousands of seeds: the faults of each follow from the seed alone, and a command says them all."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context

from worlds import told

from paxos.drivers.simulator import PROTOCOLS, World, simulate
from paxos.outcome import broken

FAULTS = [
    {"loss": 0.2},
    {"duplicate": 0.4, "jitter": 0.9},
    {"crash": 0.05},
    {"partition": 0.2},
    {"outages": 0.2},
    {"loss": 0.1, "duplicate": 0.1, "crash": 0.02, "partition": 0.05, "outages": 0.05},
    {"acceptors": 5, "loss": 0.1, "crash": 0.02},
    {"acceptors": 4, "phase1": 3, "phase2": 2, "loss": 0.1, "outages": 0.05},
    {"proposers": 3, "loss": 0.05, "duplicate": 0.2, "jitter": 0.9},
    {"proposers": 3, "learners": 1, "crash": 0.03},
]
SERVICES = [
    {},
    {"lost_appends": 0.1},
    {"stale_reads": 0.2},
    {"conditional": True},
    {"conditional": True, "lost_appends": 0.1, "stale_reads": 0.1},
    {"told": True, "lost_appends": 0.1, "stale_reads": 0.1},
]
OF_MANY = ("acceptors", "phase1", "phase2")  # where there is one, there is nothing to choose
CHUNK = 250  # seeds that a process takes at a time


def world(protocol, seed):
    """The world of this seed: every tenth has the same faults, every sixtieth the same services."""
    options = FAULTS[seed % len(FAULTS)]
    if PROTOCOLS[protocol].remembers == "list":
        options = options | SERVICES[seed // len(FAULTS) % len(SERVICES)]
    if protocol == "one-list":
        options = {what: its for what, its in options.items() if what not in OF_MANY}
    return World(protocol, seed, **{"proposers": 2, "learners": 0, "until": 120.0, **options})


def command(world):
    """The one line that replays a world and draws it."""
    said, plain = [f"paxos run {world.protocol}"], World()
    for one in fields(world):
        its = getattr(world, one.name)
        if one.name != "protocol" and its != getattr(plain, one.name):
            flag = "--" + one.name.replace("_", "-")
            said.append(flag if its is True else f"{flag} {its}")
    return f"{' '.join(said)} --trace run.ndjson; paxos draw run.ndjson -o run.svg"


def report(world, names):
    return f"seed {world.seed} breaks {', '.join(names)}. Replay it and draw it:\n{command(world)}"


def chunk(protocol, seeds):
    """How many of these runs decide something, and what is broken, in words."""
    decided, failures = 0, []
    for seed in seeds:
        here = world(protocol, seed)
        run = simulate(here)
        decided += bool(told(run))
        if names := broken(run):
            failures.append(report(here, names))
    return decided, failures


def campaign(protocol, seeds):
    """The share of these seeds that decide, and what is broken; on all cores."""
    parts = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = list(pool.map(chunk, [protocol] * len(parts), parts))
    return sum(decided for decided, _ in found) / len(seeds), [
        one for _, failures in found for one in failures
    ]
