"""`paxos check`: visit every state of a small world, and say what was found."""

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import mutations
from .drivers import synod
from .drivers.checker import LIMIT, Move, Verdict, check
from .drivers.lamport import lamport_world
from .drivers.small import WORLDS, Small
from .figures import telling
from .mistakes import Mutation
from .trace import dumps, kind

EXIT = {"safe": 0, "violated": 1, "bounded": 3}
VOTING = Path(__file__).parent.parent / "tests" / "oracles" / "voting.py"
PARTS = ("protocol.acceptor:step", "protocol.proposer:binding_value")  # of Lamport's model
SYNOD = ("protocol.blocks:answers", "protocol.proposer:binding_value")  # of the model of disks
EVERY = 10.0  # seconds between two lines of progress where there is no terminal


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `paxos check`."""
    parser.description = "Visit every state that a small world can reach, on any schedule."
    worlds = parser.add_subparsers(required=True, metavar="WORLD", parser_class=type(parser))
    for protocol, small in WORLDS.items():
        one = worlds.add_parser(protocol, help=small.about)
        add_small(one, small)
        one.set_defaults(act=do_small, protocol=protocol)
        add_common(one, [it.name for it in mutations.MUTATIONS if it.protocol == protocol])
    lamport = worlds.add_parser("lamport", help="Lamport's model, whose states TLC has counted")
    add_lamport(lamport)
    add_common(lamport, [it.name for it in mutations.MUTATIONS if of_lamport(it)])
    model = worlds.add_parser("synod", help="the model of Disk Paxos, whose states TLC has counted")
    add_synod(model)
    add_common(model, [it.name for it in mutations.MUTATIONS if of_synod(it)])


def add_common(one: argparse.ArgumentParser, rules: list[str]) -> None:
    """The flags that every world has."""
    short, flag = argparse.BooleanOptionalAction, one.add_argument
    flag("--symmetry", action=short, default=True, help="visit one of those equal but for names")
    flag("--without", metavar="RULE", help="break a rule; see below")
    flag("--limit", type=int, default=LIMIT, metavar="N", help=f"stop there; default {LIMIT:,}")
    flag("--json", action="store_true", help="write the verdict as JSON")
    one.formatter_class = argparse.RawDescriptionHelpFormatter
    one.epilog = "rules to break:\n" + "\n".join(f"  {name}" for name in rules)
    one.epilog += """

exit code: 0 safe, 1 violated, 2 a mistake of the caller, 3 the limit was reached"""


def add_small(one: argparse.ArgumentParser, small: Small) -> None:
    """The flags of a protocol. Sizes have no default: a broken rule brings its own."""
    one.description = f"Check {small.about}: every schedule, with delay, loss and repetition."
    usual, flag = small.size(), one.add_argument
    for what, meaning in small.sizes.items():
        number = getattr(usual, what)
        default = "" if number is None else f"; default {number}"
        flag(f"--{what.replace('_', '-')}", type=int, metavar="N", help=meaning + default)
    short = argparse.BooleanOptionalAction
    flag("--shortcuts", action=short, default=True, help="leave out what no node can notice")
    flag("--counterexample", metavar="FILE", help="write the bad run there, as a trace")


def add_lamport(lamport: argparse.ArgumentParser) -> None:
    """The flags of `paxos check lamport`."""
    lamport.description = "Check Lamport's model of Paxos, and count its states as TLC does."
    flag = lamport.add_argument
    for what, number in (("acceptors", 3), ("values", 2), ("ballots", 2)):
        default = None if what == "ballots" else number  # a broken rule brings its own
        flag(f"--{what}", type=int, default=default, metavar="N", help=f"default {number}")
    about = (
        "voting: the level above, without messages; an oracle of the tests, which knows no limit"
    )
    flag("--level", choices=["paxos", "voting"], default="paxos", help=about)
    lamport.set_defaults(act=do_lamport)


def add_synod(model: argparse.ArgumentParser) -> None:
    """The flags of `paxos check synod`."""
    model.description = "Check the model of Disk Paxos, and count its states as TLC does."
    usual, flag = synod.Synod(), model.add_argument
    for what, meaning in (
        ("processors", "each with a block on every disk"),
        ("disks", "that nobody but a processor changes"),
        ("inputs", "what a processor may want"),
        ("ballots", "of each processor"),
    ):
        flag(f"--{what}", type=int, metavar="N", help=f"{meaning}; default {getattr(usual, what)}")
    model.set_defaults(act=do_synod)


def do_small(options: argparse.Namespace) -> int:
    """Check a protocol, perhaps with a broken rule: then in a package that has it broken."""
    if options.without is not None:
        return broken("do_small", options)
    writable(options.counterexample)
    small = WORLDS[options.protocol]
    size = small.sized(**vars(options))
    verdict = search(options, small.world(size), shortcuts=options.shortcuts)
    trace = small.bad_run(size, verdict) if verdict.run else None
    if trace is not None and options.counterexample:
        Path(options.counterexample).write_text(dumps(trace), encoding="utf-8")
    elif options.counterexample:
        print(f"paxos: note: no bad run, so nothing in {options.counterexample}", file=sys.stderr)
    world = counted(**{what: getattr(size, what) for what in small.sizes})
    looked_at = getattr(options, "only", None) or small.invariants
    show(options, verdict, world, looked_at, "" if trace is None else telling.tell(trace))
    return EXIT[verdict.verdict]


def counted(**sizes: int | None) -> str:
    """Sizes in words: "1 crash, 2 proposers"."""
    words = {"phase1": "promises needed", "phase2": "votes needed"}
    said = []
    for name, number in sizes.items():
        many = words.get(name, name)
        one = many.replace("crashes", "crash").replace("s needed", " needed").removesuffix("s")
        said += [f"{number} {one if number == 1 else many}"] if number else []
    return ", ".join(said)


def writable(file: str | None) -> None:
    """Refuse a file that cannot be written, before a long search and not after it."""
    if file is None:
        return
    if file in ("", "-"):
        raise ValueError("--counterexample wants the name of a file")
    try:
        new = not Path(file).exists()
        with Path(file).open("a", encoding="utf-8"):
            pass
        if new:
            Path(file).unlink()
    except OSError as error:
        where = f"cannot write {file}: {error.strerror}"
        raise ValueError(f"{where}. Name a file in a folder that you can write to") from None


def do_lamport(options: argparse.Namespace) -> int:
    """Check Lamport's model, or the level above it."""
    if options.without is not None:
        rule = mutations.named(options.without)
        if options.level == "voting":
            raise ValueError("the level voting has no rule to break: leave out --without")
        if not of_lamport(rule):
            raise ValueError(f"{rule.name!r} is no rule of Lamport's model: check static instead")
        if options.ballots is None:
            options.ballots = 1 + rule.world["rounds"]
        return broken("do_lamport", options)
    sizes = (options.acceptors, options.values, 2 if options.ballots is None else options.ballots)
    world = lamport_world(*sizes)
    if options.level == "voting":
        verdict = voting(*sizes, options.symmetry)
    else:
        verdict = search(options, world)
    said = counted(acceptors=sizes[0], values=sizes[1], ballots=sizes[2])
    story = "".join(f"  {line}\n" for line in map(told, verdict.run))
    show(options, verdict, said, ["agreement"], story)
    return EXIT[verdict.verdict]


def do_synod(options: argparse.Namespace) -> int:
    """Check the model of Disk Paxos."""
    if options.without is not None:
        rule = mutations.named(options.without)
        if not of_synod(rule):
            raise ValueError(f"{rule.name!r} is no rule of this model: check disk instead")
        if options.ballots is None:
            options.ballots = rule.world["rounds"]
        return broken("do_synod", options)
    sizes = {name: getattr(options, name) for name in vars(synod.Synod())}
    size = synod.Synod(**{name: number for name, number in sizes.items() if number is not None})
    verdict = search(options, size, by=synod.explore)
    story = "".join(f"  {move.node:<4} {move.event[1]}\n" for move in verdict.run if move.event)
    show(options, verdict, counted(**vars(size)), synod.INVARIANTS, story)
    return EXIT[verdict.verdict]


def of_synod(rule: Mutation) -> bool:
    """Is this a rule that the model has? Nobody fails in it."""
    return rule.rule in SYNOD and rule.protocol == "disk" and "crashes" not in rule.world


def of_lamport(rule: Mutation) -> bool:
    """Is this a rule that the model has?"""
    return rule.rule in PARTS and rule.protocol == "static" and "crashes" not in rule.world


def told(move: Move) -> str:
    """A step of Lamport's model, in words."""
    event: tuple[str, Any] = move.event or ("", None)
    sender, message = event
    if not sender:
        return (
            f"{move.node:<9} {'asks' if message == 'ask' else f'has a quorum; if free, {message}'}"
        )
    words = f"{move.node:<9} hears {kind(message)} {message.ballot.round}"
    vote = getattr(message, "vote", None)
    words += f", voted {vote.value} in {vote.ballot.round}" if vote else ""
    words += f", {message.value}" if hasattr(message, "value") else ""
    return f"{words}, from {sender}"


def broken(act: str, options: argparse.Namespace) -> int:
    """Call a function of this module in the package in which a rule is broken."""
    rule = mutations.named(options.without)
    options.without = None
    mine = getattr(options, "protocol", None)  # a model has none, and its own word on this
    if mine and rule.protocol not in (mine, "static"):  # static's roles are in every protocol
        raise ValueError(
            f"{rule.name!r} is no rule of {mine}: use `paxos check {rule.protocol} --without`"
        )
    if rule.protocol == (mine or "static"):
        for what, number in rule.world.items():
            if getattr(options, what, None) is None:
                setattr(options, what, number)
        options.only = [rule.dies] if rule.dies else None
    code: int = getattr(mutations.load(rule)("checking"), act)(options)
    return code


def search(
    options: argparse.Namespace, world: Any, by: Callable[..., Verdict] | None = None, **how: Any
) -> Verdict:
    """Search, and report progress where it takes long."""
    if options.limit < 1:
        raise ValueError(f"--limit {options.limit}: there is always a first state. Use at least 1")
    live, last, latest = sys.stderr.isatty(), time.monotonic(), 0

    def progress(so_far: Verdict) -> None:
        nonlocal last, latest
        latest = so_far.classes
        if time.monotonic() - last > (0.2 if live else EVERY):
            last = time.monotonic()
            rate = so_far.classes / so_far.seconds
            line = f"{so_far.classes:,} states visited, {rate:,.0f} a second, "
            line += f"depth {so_far.depth}, {so_far.queue:,} waiting"
            print(f"\r{line}\x1b[K" if live else line, end="" if live else "\n", file=sys.stderr)
            sys.stderr.flush()

    if by is None:
        how["only"] = getattr(options, "only", None)
    try:
        return (by or check)(
            world,
            symmetry=options.symmetry,
            limit=options.limit,
            progress=progress,
            **how,
        )
    except KeyboardInterrupt:
        seen = f"stopped after {latest:,} states: no verdict"
        raise KeyboardInterrupt(seen) from None
    finally:
        if live:
            print("\r\x1b[K", end="", file=sys.stderr)


def voting(acceptors: int, values: int, ballots: int, symmetry: bool) -> Verdict:
    """Ask the oracle. It is a part of the tests, so only a clone of the repository has it."""
    if not VOTING.is_file():
        raise ValueError("the level voting is an oracle of the tests: run this in a clone")
    spec = importlib.util.spec_from_file_location("voting", VOTING)
    assert spec is not None
    assert spec.loader is not None
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    started = time.monotonic()
    found = oracle.explore(acceptors, values, ballots, symmetry)
    counts = (found["states"], found["classes"], found["depth"], time.monotonic() - started)
    if not found["agreement"]:
        return Verdict("violated", *counts, invariant="agreement")
    return Verdict("safe", *counts, levels=tuple(found["levels"]))


def show(
    options: argparse.Namespace, verdict: Verdict, world: str, looked_at: Iterable[str], story: str
) -> None:
    """Print a verdict."""
    if options.json:
        kept = asdict(verdict)
        del kept["run"], kept["queue"]
        print(json.dumps(kept | {"seconds": round(verdict.seconds, 3), "steps": verdict.length}))
        return
    print(report(verdict, looked_at))
    print(f"the world: {world}")
    if story:
        print(f"\n{story}", end="")
        if hasattr(options, "counterexample") and not options.counterexample:
            print(
                "\n`--counterexample FILE` writes this run; `paxos draw FILE -o run.svg` draws it."
            )


def report(verdict: Verdict, looked_at: Iterable[str]) -> str:
    """A verdict in words, one line each for what was found and how much was seen."""
    if verdict.verdict == "safe":
        first = f"safe: no schedule breaks {', '.join(looked_at)}"
    elif verdict.verdict == "bounded":
        first = f"bounded: no violation in the first {verdict.classes:,} states, "
        first += f"depth {verdict.depth}. The rest was not visited: raise --limit"
    elif verdict.run:
        first = f"violated: {verdict.invariant}, after {verdict.length} steps that have an "
        first += "effect, and no run has fewer"
    else:
        first = f"violated: {verdict.invariant}? No schedule leads there"
    lines = [first]
    lines += [f"reached: {name}, at depth {depth}" for name, depth in verdict.reached.items()]
    least, most = ("", "") if verdict.exact else ("at least ", "at most ")
    seen = f"{least}{verdict.states:,} distinct states"
    if verdict.classes != verdict.states:
        seen += f", {verdict.classes:,} of them different by more than names"
    return "\n".join([*lines, f"{seen}; depth {most}{verdict.depth}; {verdict.seconds:.2f} s"])
