"""`paxos disk`: processes agree through folders, with no server."""

import argparse
import sys
from functools import partial
from typing import Any

EXIT = """exit code: 0 done, 2 a mistake of the caller, 3 undecided when the time was up: what was
proposed may still be chosen later"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `paxos disk`."""
    parser.description = "Agree through folders that stand for disks, by Disk Paxos."
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=type(parser))
    make = commands.add_parser("create", help="make empty folders the disks of a new shelf")
    make.description = "Make empty folders the disks of a new shelf: once, before anybody agrees."
    for phase in ("phase1", "phase2"):
        make.add_argument(
            f"--{phase}",
            type=int,
            metavar="N",
            help=f"disks needed in {phase}; default: a majority",
        )
    make.add_argument("--log", action="store_true", help="for many decisions, not one")
    make.set_defaults(act=do_create)
    decide = commands.add_parser("decide", help="propose a value, and tell which one is chosen")
    decide.description = "Propose a value, and tell which one is chosen: the same for everybody."
    decide.add_argument("--propose", required=True, metavar="VALUE", help="a text")
    append = commands.add_parser("append", help="append to a log, and tell all of it")
    append.description = "Append to a log, and tell all that it has by then, in order."
    append.add_argument(
        "--entry", required=True, action="append", metavar="TEXT", help="may be repeated"
    )
    for one, act in ((decide, do_decide), (append, do_append)):
        add_work(one)
        one.set_defaults(act=act)
    show = commands.add_parser("show", help="tell what lies on the disks")
    show.description = "Tell what lies on each disk, without touching anything."
    show.set_defaults(act=do_show)
    for one in (make, decide, append, show):
        one.add_argument("disks", nargs="+", metavar="FOLDER", help="each a disk; name all of them")


def add_work(parser: argparse.ArgumentParser) -> None:
    """What whoever takes part must say."""
    parser.add_argument(
        "--name", required=True, help="yours: no two processes at work may share one"
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="give up then; default: never"
    )
    parser.epilog = EXIT
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def say(line: str) -> None:
    """A word on the way, for those who wait."""
    print(f"paxos: {line}", file=sys.stderr, flush=True)


def do_create(options: argparse.Namespace) -> int:
    """Make a shelf."""
    from .services.blocks import create

    shelf = create(options.disks, options.phase1, options.phase2, options.log)
    print(f"shelf {shelf}: {len(options.disks)} disks")
    return 0


def work(options: argparse.Namespace, what: str, wish: Any) -> Any:
    """Call a function of `services.disks` as the options say; None where time was up."""
    from .services import disks

    if options.timeout is not None and not options.timeout > 0:
        raise ValueError(f"--timeout {options.timeout}: give it some seconds")
    call = partial(getattr(disks, what), options.disks, options.name, wish)
    try:
        return call(timeout=options.timeout, tell=say)
    except disks.Undecided as error:
        say(f"{error}. What you asked for may still come true")
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped; what you asked for may still come true") from None
    return None


def do_decide(options: argparse.Namespace) -> int:
    """Decide, and print what is chosen."""
    chosen = work(options, "decide", options.propose)
    if chosen is None:
        return 3
    print(chosen)
    return 0


def do_append(options: argparse.Namespace) -> int:
    """Append, and print the log: who, and what."""
    log = work(options, "append", options.entry)
    if log is None:
        return 3
    for one in log:
        print(f"{one.client.split('.')[0]}\t{one.text}")
    return 0


def told(block: Any) -> str:
    """What a block says, in words."""
    memory = block.memory
    said = f"promised {memory.promised.round}.{memory.promised.proposer[:13]}"
    if hasattr(memory, "votes"):
        return f"{said}, {len(memory.votes)} votes"
    said += f", voted in {memory.vote.ballot.round} for {memory.vote.value}" if memory.vote else ""
    return said + (f", knows that {block.chosen.value} is chosen" if block.chosen else "")


def do_show(options: argparse.Namespace) -> int:
    """Tell what lies on each disk. 2 where one of them cannot be read."""
    from .services.blocks import Damaged, look

    code = 0
    for path in options.disks:
        try:
            label, blocks = look(path)
        except (OSError, Damaged, ValueError) as error:
            say(f"{path}: {getattr(error, 'strerror', None) or error}")
            code = 2
            continue
        whole = f"{label.disk} of {label.quorums.of}, shelf {label.shelf[:8]}"
        print(f"{path}: disk {whole}, {'a log' if label.many else 'one decision'}")
        for owner, block in blocks:
            print(f"  {owner}: {told(block)}")
    return code
