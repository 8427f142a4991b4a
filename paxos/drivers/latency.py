"""MetaSync's measurements, and what the simulator says of them when it knows one column.

The numbers are of figures 8 and 9 of Han et al. 2015 (seconds; figure 9 read off the plot, so
within 0.02). The model knows of each service how long one proposer took *alone*: a decision is
four requests one after the other, so a request takes a quarter of that. Nothing else is fitted.
Who waits how long before a rival is our client's own rule, as it is everywhere in this book.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from statistics import mean

from ..protocol.events import Decide
from ..trace import Trace
from .setting import PEOPLE, World
from .simulator import Simulation

ALL = "all five"
PROPOSERS = {  # figure 8: seconds for one decision, with 1 to 5 proposers at once
    "Google": (0.58, 0.98, 1.46, 1.62, 1.67),
    "Dropbox": (2.06, 4.23, 5.32, 6.91, 6.86),
    "OneDrive": (6.27, 7.00, 7.30, 7.15, 7.89),
    "Box": (2.58, 3.79, 3.72, 4.24, 3.56),
    "Baidu": (14.30, 18.89, 24.02, 28.86, 32.00),
    ALL: (3.17, 5.59, 5.45, 6.27, 7.38),  # the plot shows 4.44 where the slides' data say 5.59
}
DISKS = {  # figure 9: seconds for one decision of Disk Paxos, with 1 to 5 clients, one proposing
    "Google": (2.39, 3.02, 3.59, 4.68, 5.06),
    "Dropbox": (1.50, 1.79, 2.26, 2.67, 3.55),
    "three services": (2.63, 2.80, 3.69, 4.85, 5.28),
}
LISTS = {"Google": 0.85, "Dropbox": 2.16, "three services": 2.42}  # the same on lists: flat
REQUESTS = 4  # append, fetch, append, fetch
START, SEEDS = 12, 100  # when everybody wishes, in message delays; runs for each mean


def waited(run: Trace) -> float:
    """How long the proposers of a run waited for the decision, on average, in message delays."""
    told: dict[str, int] = {}
    for step in run.steps():
        if any(isinstance(effect, Decide) for effect in step.effects[: step.done]):
            told.setdefault(step.node, step.at)
    return mean(at / run.header.tick - START for at in told.values())


@cache
def simulated(proposers: int, paces: tuple[float, ...] = (1,)) -> float:
    """The mean of many runs with that many proposers at once, on lists of these paces."""
    wishes = [(START, name, name.capitalize()) for name in PEOPLE[:proposers]]
    pace = tuple((f"s{number}", its) for number, its in enumerate(paces, 1))
    crowd = World("passive", 0, proposers, len(paces), 0, wishes=wishes, pace=pace, until=1000)
    worlds = (World(**{**vars(crowd), "seed": seed}) for seed in range(SEEDS))
    return mean(waited(Simulation(world).run()) for world in worlds)


@cache
def predicted() -> Mapping[str, tuple[float, ...]]:
    """Figure 8 as the simulator predicts it, from the first column of single services alone."""
    alone = {name: its[0] for name, its in PROPOSERS.items() if name != ALL}
    single = [simulated(number) for number in range(1, 6)]
    found = {
        name: tuple(first * one / single[0] for one in single) for name, first in alone.items()
    }
    middle = sorted(alone.values())[len(alone) // 2]  # two of three, three of five: its pace counts
    paces = tuple(first / middle for first in alone.values())
    second = middle / single[0]  # seconds for one message delay of that service
    return found | {ALL: tuple(second * simulated(k, paces) for k in range(1, 6))}


def on_disks() -> Mapping[str, tuple[float, ...]]:
    """Figure 9 from its first column: with each further client a phase reads one more block.

    One client writes twice. So a write takes half of that column, and a read as long as any
    request to that service took on a list.
    """
    return {
        name: tuple(its[0] + 2 * (clients - 1) * LISTS[name] / REQUESTS for clients in range(1, 6))
        for name, its in DISKS.items()
    }


def crossing(disks: Sequence[float], lists: float) -> int | None:
    """With how many clients Disk Paxos becomes the slower one; None if it is not within five."""
    return next((clients for clients, one in enumerate(disks, 1) if one > lists), None)


def table(measured: Mapping[str, Sequence[float]], said: Mapping[str, Sequence[float]]) -> str:
    """Measured, predicted, and how far apart, as Markdown."""
    head = " | ".join(str(number) for number in range(1, 6))
    lines = [f"| | {head} | error |", "|---|" + "---:|" * 6]
    for name, its in measured.items():
        apart = [one / real - 1 for one, real in zip(said[name], its, strict=True)]
        tests = [one for one in apart if abs(one) > 1e-9]  # without what was fitted
        worst = f"{min(tests):+.0%} to {max(tests):+.0%}"
        lines.append(f"| {name}, measured | {' | '.join(f'{one:.2f}' for one in its)} | |")
        words = " | ".join(f"{one:.2f}" for one in said[name])
        lines.append(f"| {name}, predicted | {words} | {worst} |")
    return "\n".join(lines)
