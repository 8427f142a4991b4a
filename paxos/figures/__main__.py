"""Draw the committed figures: `python -m paxos.figures --out FOLDER`. They are of the book's runs."""

import argparse
from collections.abc import Callable
from pathlib import Path

from ..drivers.simulator import simulate
from . import activity, render, spacetime, views
from .theme import Figure

SEEDS = range(200)


def activity_figure(part: str) -> Figure:
    """The activity diagram of many runs, half of them with faults."""
    worlds = [{}, {"loss": 0.1, "duplicate": 0.1, "crash": 0.02}]
    traces = [simulate(seed=seed, **worlds[seed % 2]) for seed in SEEDS]
    return activity.figure(traces, part)


FIGURES: dict[str, Callable[[], Figure]] = {
    "two_at_one_car": views.two_at_one_car,
    "static_paxos_view_0": lambda: views.box(simulate()),
    "static_paxos_log": lambda: views.log(simulate(protocol="log", learners=3)),
    "static_paxos_view_1": lambda: views.phases(simulate()),
    "static_paxos_view_2": lambda: views.steps(simulate()),
    "static_paxos_spacetime": lambda: spacetime.draw(simulate()),
    "static_paxos_activity": lambda: activity_figure("main"),
    "static_paxos_retry": lambda: activity_figure("retry"),
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
