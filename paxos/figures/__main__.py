"""Draw the committed figures: `python -m paxos.figures --out FOLDER`. They are of the book's runs."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..drivers.simulator import simulate
from ..protocol.kinds import PROTOCOLS
from ..trace import Trace
from . import activity, disks, spacetime, threefold, views
from .theme import Figure

TROUBLE: dict[str, Any] = {"loss": 0.1, "duplicate": 0.1, "crash": 0.02}
BAD_SERVICE: dict[str, Any] = {
    "partition": 0.03,
    "outages": 0.03,
    "lost_appends": 0.05,
    "stale_reads": 0.05,
}


def many_runs(protocol: str = "static") -> list[Trace]:
    """Enough runs to see every rule taken: quiet seeds, and as many with faults."""
    if PROTOCOLS[protocol].remembers == "list":
        worlds: list[dict[str, Any]] = [
            {},
            TROUBLE,
            BAD_SERVICE,
            {**BAD_SERVICE, "conditional": True},
        ]
        return [
            simulate(protocol=protocol, seed=seed, **world)
            for world in worlds
            for seed in range(25)
        ]
    quiet = [simulate(protocol=protocol, seed=seed) for seed in range(100)]
    return quiet + [simulate(protocol=protocol, seed=seed, **TROUBLE) for seed in range(100)]


def alone(protocol: str) -> Trace:
    """Nobody in the way, nothing late: ann wishes once she can be served."""
    wishes = [(4, "ann", "Ann")]
    return simulate(protocol=protocol, proposers=1, learners=0, jitter=0, wishes=wishes)


FIGURES: dict[str, Callable[[], Figure]] = {
    "two_at_one_car": views.two_at_one_car,
    "static_paxos_view_0": lambda: views.box(simulate()),
    "static_paxos_log": lambda: views.log(simulate(protocol="log", learners=3)),
    "static_paxos_view_1": lambda: views.phases(simulate()),
    "static_paxos_view_2": lambda: views.steps(simulate()),
    "static_paxos_spacetime": lambda: spacetime.draw(simulate()),
    "static_paxos_activity": lambda: activity.figure(many_runs()),
    "static_paxos_retry": lambda: activity.figure(many_runs(), "retry"),
    "three_memories": lambda: threefold.draw(*map(alone, ("static", "disk", "passive"))),
    "disk_paxos_spacetime": lambda: spacetime.draw(simulate(protocol="disk", proposers=2)),
    "disk_paxos_blocks": lambda: disks.grid(simulate(protocol="disk", proposers=2)),
    "passive_paxos_spacetime": lambda: spacetime.draw(simulate(protocol="passive", proposers=2)),
}


def main() -> None:
    """Write every figure into a folder, and say so."""
    parser = argparse.ArgumentParser(prog="python -m paxos.figures", description=__doc__)
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, drawn in FIGURES.items():
        drawn().save(out / f"{name}.svg")
        print(out / f"{name}.svg")


if __name__ == "__main__":
    main()
