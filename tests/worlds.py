"""Small worlds that several tests share. A run is made once and looked at often."""

from functools import cache

from paxos import trace
from paxos.drivers.simulator import PROTOCOLS, simulate
from paxos.protocol.ballot import Ballot
from paxos.protocol.events import Decide

A1, B1, A2, B2 = Ballot(1, "ann"), Ballot(1, "ben"), Ballot(2, "ann"), Ballot(2, "ben")  # rising

STORMS = {
    "quiet": {},
    "lossy": {"loss": 0.25, "jitter": 0.9},
    "repeating": {"duplicate": 0.4, "jitter": 0.9},
    "crashing": {"crash": 0.1},
    "splitting": {"partition": 0.3, "until": 100.0},
    "all at once": {"loss": 0.15, "duplicate": 0.15, "crash": 0.06, "partition": 0.1},
    "five acceptors": {"acceptors": 5, "loss": 0.2, "crash": 0.05},
    "flexible": {"acceptors": 4, "phase1": 3, "phase2": 2, "loss": 0.2, "crash": 0.05},
    "three proposers": {"proposers": 3, "loss": 0.1, "duplicate": 0.1, "jitter": 0.95},
}
OF_MEMORIES = {"outages": {"outages": 0.2, "loss": 0.05}}
OF_LISTS = {
    "lost appends": {"lost_appends": 0.25},
    "stale reads": {"stale_reads": 0.4},
    "conditional": {"conditional": True, "loss": 0.1, "duplicate": 0.2, "outages": 0.1},
    "bad services": {"lost_appends": 0.1, "stale_reads": 0.2, "loss": 0.1, "crash": 0.03},
    "told": {"told": True, "loss": 0.1, "duplicate": 0.2, "outages": 0.1, "stale_reads": 0.1},
}
LOGS = ("log", "disk-log", "passive-log", "one-list")


def storms(protocol: str = "static") -> dict[str, dict]:
    """The storms that this protocol can meet, by name."""
    remembers = PROTOCOLS[protocol].remembers
    memories = {} if remembers == "acceptor" else OF_MEMORIES
    all_of_them = STORMS | memories | (OF_LISTS if remembers == "list" else {})
    one = protocol == "one-list"
    return {name: its for name, its in all_of_them.items() if not (one and "acceptors" in its)}


@cache
def runs(protocol: str = "static") -> list[trace.Trace]:
    """Every storm, each with its own seeds: the same list of runs for every test that asks."""
    seeds = 40 if PROTOCOLS[protocol].remembers == "acceptor" else 12
    return [
        simulate(protocol=protocol, seed=seed, **storm)
        for number, storm in enumerate(storms(protocol).values())
        for seed in range(100 * number, 100 * number + seeds)
    ]


def told(run: trace.Trace) -> set[str]:
    """Who was told of a decision, or of several."""
    return {step.node for step in run.steps() if happened(step, Decide)}


def of(run: trace.Trace, role: str) -> list[trace.Step]:
    """The steps of one role, in order."""
    return [step for step in run.steps() if run.role(step.node) == role]


def befores(run: trace.Trace) -> list[tuple[object, trace.Step]]:
    """Every step with the state its node was in: the last it had, or the one it opened with."""
    states: dict[str, object] = {}
    found = []
    for record in run.records:
        if isinstance(record, trace.Step):
            found.append((states[record.node], record))
        if isinstance(record, trace.Open | trace.Step):
            states[record.node] = record.state
    return found


def happened(step: trace.Step, kind: type) -> list:
    """The effects of one kind that were carried out before any crash."""
    return [effect for effect in step.effects[: step.done] if isinstance(effect, kind)]
