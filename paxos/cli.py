"""The command `paxos`: run a protocol, draw a run, prove that it is safe."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from . import __version__, agreeing, checking, demo, judging, sharing, storing
from .drivers import faults
from .drivers.replay import replay
from .drivers.simulator import PROTOCOLS, Simulation, World
from .outcome import broken
from .proof import checks
from .proof.checks import MODELS
from .trace import Trace, dumps, loads

if TYPE_CHECKING:
    from .figures.theme import Figure

# What draws is imported only by those who draw: the command starts in half the time.
VIEWS: dict[str, tuple[str, ...]] = {  # of each protocol, the first one unless asked for another
    "static": ("spacetime", "box", "phases", "steps", "activity", "retry"),
    "log": ("spacetime", "log"),
    "disk": ("spacetime", "disks", "box"),
    "disk-log": ("spacetime", "disks", "log"),
    "passive": ("spacetime", "lists", "box"),
    "passive-log": ("spacetime", "lists", "log"),
    "one-list": ("spacetime", "lists", "log"),
}
CURE = "Write a trace with `paxos run static --trace FILE`"
GRAPHS: dict[str, Literal["main", "retry"]] = {"activity": "main", "retry": "retry"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence and exit code 2, and that never guesses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See `{self.prog} --help`.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, 1 for a broken invariant, 2 for a mistake of the caller."""
    options = parser().parse_args(argv)
    if sys.stdout is None or sys.stdin is None:
        print("paxos: standard input and output must be open", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):  # a console of another encoding lacks our arrows
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        code: int = options.act(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stop:
        print(f"paxos: {str(stop) or 'stopped'}", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"paxos: {error}", file=sys.stderr)
        return 2


def parser() -> Parser:
    """Every flag of every command."""
    top = Parser(prog="paxos", description="Paxos you can run.")
    top.add_argument("--version", action="version", version=f"paxos {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    add_run(commands.add_parser("run", help="simulate one run and tell it"))
    add_draw(commands.add_parser("draw", help="draw a trace"))
    checking.add(commands.add_parser("check", help="visit every state of a small world"))
    add_prove(commands.add_parser("prove", help="prove a protocol for any number of nodes"))
    agreeing.add(commands.add_parser("disk", help="agree through folders, for real"))
    sharing.add(commands.add_parser("log", help="share a log through storage services, for real"))
    storing.add(commands.add_parser("service", help="examine storage services"))
    judging.add(commands.add_parser("verify", help="say whether a trace is a run of the protocol"))
    demo.add(commands.add_parser("demo", help="watch two writers agree through three folders"))
    return top


def add_run(run: argparse.ArgumentParser) -> None:
    """The flags of `paxos run`."""
    run.description = "Simulate one run: who said what to whom, and what was chosen."
    run.epilog = (faults.__doc__ or "").replace("::", ":")
    run.formatter_class = argparse.RawDescriptionHelpFormatter
    flag = run.add_argument
    flag("protocol", choices=sorted(PROTOCOLS), help="which protocol")
    flag("--seed", type=int, default=0, help="decides all that is left to chance; default 0")
    for names, default, who in (
        (("proposers", "clients"), 3, "who ask, each for a value of its own"),
        (("acceptors", "disks", "services"), None, "who remember"),
        (("learners", "followers"), 1, "who only listen; not with disks"),
    ):
        usual = "3; of one-list, 1" if default is None else default
        flags, about = [f"--{name}" for name in names], f"{who}; default {usual}"
        flag(*flags, dest=names[0], type=int, default=default, metavar="N", help=about)
    for phase, what in (("phase1", "promises"), ("phase2", "votes")):
        flag(f"--{phase}", type=int, metavar="N", help=f"{what} needed; default: a majority")
    add_chances(run)
    flag("--fault", dest="faults", action="append", default=[], metavar="LINE", help="see below")
    flag("--trace", metavar="FILE", help="write the trace there; `-`: to the output, and no story")
    flag("--replay", metavar="FILE", help="follow the schedule of this trace, and nothing else")
    run.set_defaults(act=do_run)


def add_chances(run: argparse.ArgumentParser) -> None:
    """What may go wrong in a run, how fast messages are, and when it ends."""
    flag = run.add_argument
    for what, meaning in (
        ("loss", "chance that a message is lost"),
        ("duplicate", "chance that a message arrives twice"),
        ("crash", "chance, for each step, that the node crashes in the middle of it"),
        ("partition", "chance, for each message delay, that the network splits for a while"),
        ("outages", "the same, that an acceptor, disk or service is away for a while"),
        ("lost-appends", "chance that a service loses an append that it acknowledges"),
        ("stale-reads", "chance that a service shows a list as it was before"),
    ):
        about = meaning + ", 0 to 1; default 0"
        flag(f"--{what}", type=float, default=0.0, metavar="P", help=about)
    about = "append only where the end of the list is known: saves a fetch, if the service can"
    flag("--conditional", action="store_true", help=about)
    about = "the services tell where they appended: saves a fetch where that is the known end"
    flag("--told", action="store_true", help=about)
    about = "a message takes 1-J to 1+J; default 0.5"
    flag("--jitter", type=float, default=0.5, metavar="J", help=about)
    about = "stop then, in message delays; default 200"
    flag("--until", type=float, default=200.0, metavar="T", help=about)


def add_draw(draw: argparse.ArgumentParser) -> None:
    """The flags of `paxos draw`."""
    draw.description = "Draw a trace as SVG, or an activity diagram as DOT."
    flag = draw.add_argument
    flag("trace", metavar="TRACE", help="a file written by `paxos run --trace`, or `-`")
    flag(
        "--view",
        choices=sorted({view for views in VIEWS.values() for view in views}),
        default="spacetime",
        help="spacetime is the default; a run has those that its protocol has",
    )
    flag("-o", "--output", required=True, metavar="FILE", help="FILE.svg; FILE.dot for a graph")
    draw.set_defaults(act=do_draw)


def add_prove(prove: argparse.ArgumentParser) -> None:
    """The flags of `paxos prove`."""
    prove.description = "Prove, for any number of nodes, that what is decided is never undone."
    meanings = {it: why for one in MODELS.values() for it, why in one.mistakes.items()}
    planted = (
        f"\n  {it} ({', '.join(name for name, one in MODELS.items() if it in one.mistakes)})\n    {why}"
        for it, why in meanings.items()
    )
    prove.epilog = f"""mistakes that can be planted, to see what dies of them:{"".join(planted)}

exit code: 0 proved, 1 refuted, 2 a mistake of the caller, 3 unknown, which is no proof"""
    prove.formatter_class = argparse.RawDescriptionHelpFormatter
    flag = prove.add_argument
    flag("protocol", choices=MODELS, help="which protocol")
    flag("--without", default="", metavar="RULE", help="break a rule; see below")
    flag("--seed", type=int, default=0, help="of the solver's own choices; default 0")
    flag(
        "--timeout",
        type=float,
        default=40.0,
        metavar="SECONDS",
        help="for each check; default 40",
    )
    flag("--json", action="store_true", help="write all that was found as JSON")
    prove.set_defaults(act=do_prove)


def do_run(options: argparse.Namespace) -> int:
    """Simulate, then tell or write."""
    if options.trace == "":
        raise ValueError("--trace wants the name of a file, or `-`")
    trace, same = follow(options) if options.replay is not None else (simulated(options), True)
    if options.trace == "-":
        sys.stdout.write(dumps(trace))
    else:
        if options.trace:
            write(Path(options.trace), dumps(trace))
        from .figures import telling

        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        sys.stdout.write(telling.tell(trace, colour))
    return 0 if same and not broken(trace) else 1


def simulated(options: argparse.Namespace) -> Trace:
    """The run of a seed."""
    fields = {name: value for name, value in vars(options).items() if hasattr(World, name)}
    run = Simulation(World(**fields))
    trace = run.run()
    for line in run.idle():
        print(f"paxos: note: the fault {line!r} never came true", file=sys.stderr)
    return trace


def follow(options: argparse.Namespace) -> tuple[Trace, bool]:
    """A recorded schedule under the rules as they are: the run, and whether it is the recorded one."""
    recorded = read(options.replay)
    if recorded.header.protocol != options.protocol:
        raise ValueError(f"{options.replay}: a run of {recorded.header.protocol}: run that")
    trace = replay(recorded)
    if trace != recorded:
        number = len(trace.records)
        print(
            f"paxos: record {number} of {len(recorded.records)} is no step of the rules as they "
            "are; the last line of the story is theirs",
            file=sys.stderr,
        )
    return trace, trace == recorded


def do_draw(options: argparse.Namespace) -> int:
    """Read a trace, write a picture."""
    trace, output = read(options.trace), Path(options.output)
    if output.suffix not in (".svg", ".dot"):
        raise ValueError(
            f"{output.name} is neither .svg nor .dot: name the output FILE.svg or FILE.dot"
        )
    if output.suffix == ".dot":
        if options.view not in GRAPHS:
            raise ValueError(
                f"the view {options.view} is a drawing, not a graph: write it to a .svg file"
            )
        from .figures import activity

        write(output, activity.dot([trace], GRAPHS[options.view]))
    else:
        write(output, draw(trace, options.view).svg)
    return 0


def do_prove(options: argparse.Namespace) -> int:
    """Ask the solver, then show the table and what it found."""
    if not 0 < options.timeout < 1e6:
        raise ValueError(f"--timeout {options.timeout}: give each check some seconds")
    if not 0 <= options.seed < 2**31:
        raise ValueError(f"--seed {options.seed}: a seed of the solver is 0 to {2**31 - 1}")
    try:
        from .proof import solver
    except ModuleNotFoundError as error:
        cure = "pip install z3-solver"
        raise ValueError(f"to prove takes {error.name}, which is not here: {cure}") from None
    model, found = MODELS[options.protocol], list[checks.Check]()
    for check in solver.prove(model, options.seed, options.timeout, options.without):
        found.append(check)
        if sys.stderr.isatty():
            print(f"\r{len(found)} checks\x1b[K", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    print(checks.as_json(found) if options.json else checks.report(model, found))
    return {"proved": 0, "refuted": 1, "unknown": 3}[checks.verdict(found)]


def write(path: Path, text: str) -> None:
    """Write a file; a complaint names it and says what to do."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        where = f"cannot write {path}: {error.strerror}"
        raise ValueError(f"{where}. Name a file in a folder that you can write to") from None


def draw(trace: Trace, view: str) -> "Figure":
    """One view of a trace. Raises ValueError for a view that this trace does not have."""
    protocol = trace.header.protocol
    if view not in VIEWS[protocol]:
        has = ", ".join(VIEWS[protocol])
        raise ValueError(f"a run of {protocol} has no view {view}: draw {has}")
    if view in GRAPHS:
        from .figures import activity

        return activity.figure([trace], GRAPHS[view])
    from .figures import disks, lists, spacetime, views

    drawn = {"spacetime": spacetime.draw, "disks": disks.grid, "lists": lists.of_trace}
    figure: Figure = (drawn.get(view) or getattr(views, view))(trace)
    return figure


def read(name: str) -> Trace:
    """Read a trace file; every complaint names the file."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = raw.decode("utf-8-sig")  # some editors put a mark at the beginning
        return loads(text)
    except IsADirectoryError:
        raise ValueError(f"{name or '.'} is a folder: name the trace file in it") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: not text in UTF-8, so not a trace. {CURE}") from None
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}. {CURE}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).rstrip('.?')}. {CURE}") from None


if __name__ == "__main__":
    sys.exit(main())
