"""Draw the committed figures: `python -m paxos.figures --out FOLDER`. They are of the book's runs."""

import argparse
from collections.abc import Callable
from pathlib import Path

from ..drivers.simulator import simulate
from ..trace import Trace
from . import activity, spacetime, views
from .theme import Figure


def many_runs() -> list[Trace]:
    """Enough runs to see every rule taken: a hundred quiet seeds, and a hundred with faults."""
    quiet = [simulate(seed=seed) for seed in range(100)]
    return quiet + [simulate(seed=n, loss=0.1, duplicate=0.1, crash=0.02) for n in range(100)]


FIGURES: dict[str, Callable[[], Figure]] = {
    "two_at_one_car": views.two_at_one_car,
    "static_paxos_view_0": lambda: views.box(simulate()),
    "static_paxos_log": lambda: views.log(simulate(protocol="log", learners=3)),
    "static_paxos_view_1": lambda: views.phases(simulate()),
    "static_paxos_view_2": lambda: views.steps(simulate()),
    "static_paxos_spacetime": lambda: spacetime.draw(simulate()),
    "static_paxos_activity": lambda: activity.figure(many_runs()),
    "static_paxos_retry": lambda: activity.figure(many_runs(), "retry"),
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
