"""`paxos service`: which storage services there are, and whether one keeps what a list promises."""

import argparse
import datetime
import os
import platform
import sys
from collections import Counter
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from .services.conformance import Report

ABOUT = """Try to refute what an append-only list promises: several processes write to a new list inside
the place that the URL names, read it, are stopped on the way and begin again. A promise can be refuted;
no number of tries shows that it is kept. What is in the place already is left alone."""
EXIT = """exit code: 0 nothing was refuted, 1 a promise was, 2 it could not be tried. Credentials come from the
environment; `paxos service list` has more about each kind of service."""
NAMES, THOROUGH = 200, 2000
SECONDS = {False: 600.0, True: 7200.0}
WIDTHS = (31, 39, 14, 10)
SHOWN = """shown by: `real server`, run by the tests on this machine; `fake`, one made after the documents, run
by the tests; `documents`, nothing but them."""
OURS = ("memory", "file", "sqlite")  # of these the suite removes what it wrote


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `paxos service`."""
    parser.description = "Which storage services there are, and whether one keeps its word."
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=type(parser))
    shown = commands.add_parser("list", help="tell which kinds of storage service there are")
    shown.description = "Tell which kinds of storage service there are, and what each needs."
    shown.set_defaults(act=do_list)
    check = commands.add_parser("check", help="try to refute what a list at a URL promises")
    check.description, check.epilog = ABOUT, EXIT
    check.formatter_class = argparse.RawDescriptionHelpFormatter
    flag = check.add_argument
    flag("url", metavar="URL", help="as `paxos service list` shows them")
    flag("--thorough", action="store_true", help=f"{THOROUGH:,} names instead of {NAMES}")
    flag("--names", type=int, metavar="N", help=f"positions to race for; default {NAMES}")
    flag("--processes", type=int, default=8, metavar="N", help="that race; default 8")
    about = "end then, with what was seen; default 600, or 7,200 if thorough"
    flag("--timeout", type=float, metavar="SECONDS", help=about)
    flag("--report", metavar="FILE", help="write a dated report there, without names of yours")
    flag("--with-url", action="store_true", help="put the URL into the report, but not its query")
    check.set_defaults(act=do_check)


def do_list(options: argparse.Namespace) -> int:
    """Print the table of what can be used."""
    from .services.registry import OFFERS, missing

    print(row("URL", "made of", "shown by", "here"))
    extras, programs = set[str](), set[str]()
    for one in OFFERS.values():
        absent = bool(missing(one))
        program = one.needs.startswith("!")
        if absent:
            (programs if program else extras).add(one.needs[1:] if program else one.extra)
        shown = one.shown.removesuffix(" of documented meaning").removesuffix(" only")
        print(row(one.example, one.primitive, shown, "missing" if absent else "installed"))
    print(f"\n{SHOWN}\n\nextras of pip, and credentials in the environment:")
    for one in OFFERS.values():
        if one.extra or one.credentials:
            extra = f"[{one.extra}]" if one.extra else ""
            print(f"  {one.scheme:13}{extra:11} {one.credentials}".rstrip())
    print()
    if extras:
        print(f"what is missing: pip install 'passive-paxos[{','.join(sorted(extras))}]'")
    for it in sorted(programs):
        print(f"what is missing: the program {it}")
    return 0


def row(*cells: str) -> str:
    """A row of the table, as many lines as its longest cell takes."""
    parts = [wrap(cell, width) for cell, width in zip(cells, WIDTHS, strict=True)]
    lines = []
    for number in range(max(map(len, parts))):
        line = [its[number] if number < len(its) else "" for its in parts]
        cols = (f"{cell:{width}}" for cell, width in zip(line, WIDTHS, strict=True))
        lines.append("  ".join(cols).rstrip())
    return "\n".join(lines)


def do_check(options: argparse.Namespace) -> int:
    """Examine a service, and tell what came of it."""
    from .services.conformance import examine
    from .services.contract import ServiceError

    names = options.names if options.names is not None else NAMES
    if options.thorough and options.names is None:
        names = THOROUGH
    seconds = SECONDS[options.thorough] if options.timeout is None else options.timeout
    if options.report is not None:
        writable(Path(options.report))
    try:
        report = examine(options.url, options.processes, names, progress, seconds)
    except ServiceError as error:
        retry = "try again later" if error.retry else ""
        raise ValueError("; ".join(filter(None, (str(error), retry)))) from None
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    for line in told(report):
        print(line)
    if report.scheme not in OURS:
        say(f"what was written is in {report.place}: remove it when you need it no more")
    if options.report is not None:
        url = options.url.partition("?")[0] if options.with_url else ""
        write(Path(options.report), markdown(report, url))
    if report.refuted:
        return 1
    if not report.verdicts["stays"].tries:
        raise ValueError("no append was acknowledged: nothing is known of this service")
    return 0


def progress(trial: str, part: float) -> None:
    """How far a trial is: a bar for those who watch, else its name as it begins."""
    if sys.stderr.isatty():
        bar = "#" * round(part * 30)
        print(f"\r{trial:8} [{bar:30}]\x1b[K", end="", file=sys.stderr, flush=True)
    elif not part:
        say(trial)


def say(line: str) -> None:
    """A word on the way, for those who wait."""
    print(f"paxos: {line}", file=sys.stderr, flush=True)


def told(report: "Report") -> list[str]:
    """One line for each promise, and what hindered the trials."""
    from .services.promises import PROMISES

    lines = [f"{PROMISES[name]}: {one}" for name, one in report.verdicts.items()]
    for (what, blame, retry), count in report.errors.most_common():
        again = "a retry may help" if retry else "a retry does not help"
        lines.append(f"failed {count} times, by fault of the {blame}, {again}: {what}")
    if report.cut:
        lines.append(f"there was not enough time for all of: {', '.join(report.cut)}")
    return lines


def markdown(report: "Report", url: str = "") -> str:
    """A report for others. Without a URL it names no place; and it repeats no message of an error."""
    from .services.promises import PROMISES

    today = datetime.datetime.now(datetime.UTC).date()
    lines = [f"# `{report.scheme}:` on {today}", "", *([f"- <{url}>"] if url else [])]
    uses = [f"- {name} {version}" for name, version in report.versions.items()]
    lines += [f"- passive-paxos {__version__}", *uses, f"- machine {platform.machine()}"]
    lines.append(f"- {report.processes} processes, {report.names} names, {report.seconds:.0f} s")
    if report.cut:
        lines.append(f"- not enough time for: {', '.join(report.cut)}")
    lines += ["", "| promise | outcome |", "|---|---|"]
    for name, one in report.verdicts.items():
        said = "refuted" if one.refuted and name in ("place", "errors") else str(one)
        lines.append(f"| {PROMISES[name]} | {said.replace('|', '/')} |")
    if report.errors:
        faults = Counter[tuple[str, bool]]()
        for (_, blame, retry), count in report.errors.items():
            faults[blame, retry] += count
        lines += ["", "| failed requests | fault of | a retry |", "|---|---|---|"]
        for (blame, retry), count in faults.most_common():
            lines.append(f"| {count} | {blame} | {'may help' if retry else 'does not help'} |")
    if report.times:
        lines += ["", "| request | times | p50 in ms | p99 in ms |", "|---|---|---|---|"]
        for kind, (count, half, _, most) in report.times.items():
            lines.append(f"| {kind} | {count} | {half * 1000:.3g} | {most * 1000:.3g} |")
    return "\n".join(lines) + "\n"


def writable(path: Path) -> None:
    """A long examination must not end at a name that cannot be written."""
    ours = path if path.exists() else path.parent
    if not path.name or path.is_dir() or not path.parent.is_dir() or not os.access(ours, os.W_OK):
        raise ValueError(f"cannot write {path}: name a file in a folder that you can write to")


def write(path: Path, text: str) -> None:
    """Write a file; a complaint names it."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from None
