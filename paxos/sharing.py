"""`paxos log`: devices share a log through storage services that they have anyway."""

import argparse
import asyncio
import json
import logging
import os
import re
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Entry, Log, Status

Work = Callable[["Log", argparse.Namespace], Awaitable[int]]
EXAMPLE = """example, three folders on three disks:
  paxos log append --service file:///mnt/nas/log --service file:///media/stick/log \\
      --service file:///home/ann/log --name laptop "book saturday Ann"
  paxos log read --service ... (the same three)

`paxos service list` tells which services there are. Name all services of a log, every time."""
EXIT = """exit code: 0 done (of append: decided), 2 a mistake of the caller or services that do not belong
together, 3 undecided when the time was up, or too few services answer: what was appended may still
be decided later"""
NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `paxos log`."""
    parser.description = "Share a log through storage services: one, or three or more by Paxos."
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=type(parser))
    for name, act, about in (
        ("append", append, "Append to the log; each TEXT is an entry. Prints the index of each."),
        ("read", read, "Print what is decided: author, TAB, entry; one a line, in order."),
        ("watch", watch, "Print what is decided, and then whatever comes, until Ctrl-C."),
        ("status", status, "Tell how each service does."),
    ):
        one = commands.add_parser(name, help=about.split(".")[0].split(":")[0].lower())
        one.description, one.epilog = about, f"{EXAMPLE}\n\n{EXIT}"
        one.formatter_class = argparse.RawDescriptionHelpFormatter
        one.set_defaults(act=do, work=act)
        add_work(one)
        if name == "append":
            about = "an entry; `-`: each line of the input is one"
            one.add_argument("texts", nargs="+", metavar="TEXT", help=about)
        elif name != "status":
            about = "an object a line: index, author, and text, or base64 where it is no text"
            one.add_argument("--json", action="store_true", help=about)


def add_work(parser: argparse.ArgumentParser) -> None:
    """What all of them must say."""
    flag = parser.add_argument
    about = "where a list is kept; repeat it for each service of the log"
    flag("--service", dest="services", action="append", required=True, metavar="URL", help=about)
    flag("--name", help="of this device, for people; default: that of the host")
    flag("--timeout", type=float, metavar="SECONDS", help="give up then; default: never")
    flag("--trace", metavar="FILE", help="write all that this client does to a new file")
    about = "a file of this device: what it has read in each list; one that has changed is refused"
    flag("--remember", metavar="FILE", help=about)
    about = "only some services of the log are named; the others count as out of reach"
    flag("--some", action="store_true", help=about)


def do(options: argparse.Namespace) -> int:
    """Open the log, do it, close the log; a complaint is one sentence."""
    if options.timeout is not None and not 0 < options.timeout < 1e9:
        raise ValueError(f"--timeout {options.timeout}: give it some seconds")
    from .client import Mismatch, ServiceError, Undecided

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("paxos: %(message)s"))
    logger = logging.getLogger("paxos")
    logger.addHandler(handler)
    try:
        return asyncio.run(opened(options))
    except Undecided as error:
        say(str(error))
        return 3
    except Mismatch as error:
        say(str(error))
        return 2
    except ServiceError as error:
        say(str(error))
        return 2 if error.blame in ("caller", "credentials") else 3
    except KeyboardInterrupt:
        if options.work is watch:
            return 0
        what = "stopped; what was appended may still be decided"
        raise KeyboardInterrupt(what if options.work is append else "stopped") from None
    finally:
        logger.removeHandler(handler)


async def opened(options: argparse.Namespace) -> int:
    """Do it. `--timeout` counts from the opening on."""
    from .client import Undecided, open

    name = options.name if options.name is not None else host()
    fields = {one: getattr(options, one) for one in ("some", "trace", "remember")}
    log, loop = open(*options.services, name=name, **fields), asyncio.get_running_loop()
    end = None if options.timeout is None else loop.time() + options.timeout
    try:
        async with asyncio.timeout_at(end):
            await log.__aenter__()
    except TimeoutError:
        raise Undecided(f"the services have not answered after {options.timeout:g} s") from None
    try:
        if end is not None:
            options.timeout = max(0.0, end - loop.time())
        code: int = await options.work(log, options)
        return code
    finally:
        await log.__aexit__()


def host() -> str:
    """A name for this device."""
    return NO_NAME.sub("-", socket.gethostname().split(".")[0]).strip("-")[:64] or "somebody"


def say(line: str) -> None:
    """A word for people."""
    print(f"paxos: {line}", file=sys.stderr, flush=True)


def lines() -> list[bytes]:
    """The lines of the input, whatever bytes they are."""
    given = sys.stdin.buffer.read()
    return given.removesuffix(b"\n").split(b"\n") if given else []


async def append(log: "Log", options: argparse.Namespace) -> int:
    """Append all, in order, and print where each is."""
    entries = list[bytes]()
    for text in options.texts:
        entries += lines() if text == "-" else [os.fsencode(text)]
    calls = [log.append(one, options.timeout) for one in entries]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    for end in ends:
        if isinstance(end, int):
            print(end)
    errors = [end for end in ends if isinstance(end, BaseException)]
    if errors and len(entries) > 1:
        say(f"{len(entries) - len(errors)} of {len(entries)} entries are decided")
    if errors:
        raise errors[0]
    return 0


async def read(log: "Log", options: argparse.Namespace) -> int:
    """Print what is decided."""
    for entry in await log.read(options.timeout):
        print(shown(entry, options.json))
    return 0


async def watch(log: "Log", options: argparse.Namespace) -> int:
    """Print what is decided, and what comes; `--timeout`: for so long."""
    try:
        async with asyncio.timeout(options.timeout):
            async for entry in log:
                print(shown(entry, options.json), flush=True)
    except TimeoutError:
        pass
    return 0


async def status(log: "Log", options: argparse.Namespace) -> int:
    """Print how each service does. 3 if too few answer."""
    from .client import Undecided

    code = 0
    try:
        await log.read(5.0 if options.timeout is None else options.timeout)
    except Undecided:
        code = 3
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print("\n".join(table(log.status(), wide)))
    return code


def shown(entry: "Entry", as_json: bool) -> str:
    """An entry as a line."""
    if not as_json:
        return f"{plain(entry.author.encode(errors='replace'))}\t{plain(entry.data)}"
    told: dict[str, Any] = {"index": entry.index, "author": entry.author}
    try:
        told["text"] = entry.data.decode()
    except UnicodeDecodeError:
        import base64

        told["base64"] = base64.b64encode(entry.data).decode()
    return json.dumps(told)


def plain(data: bytes) -> str:
    r"""Bytes as a line of text: what would not show, or would do more than show, as `\n` or `\xff`."""
    text = data.replace(b"\\", b"\\\\").decode(errors="backslashreplace")
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


HEAD = ("service", "list", "up", "position", "latency", "trips", "last error")


def table(status: list["Status"], wide: int | None = None) -> list[str]:
    """The services as a table; where it is wider than the terminal, as a paragraph for each."""
    rows = [
        (
            one.url,
            one.list or "?",
            {True: "yes", False: "no", None: "?"}[one.up],
            str(one.position),
            f"{one.latency * 1000:.1f} ms" if one.latency else "-",
            str(one.trips),
            plain((one.error or "-").encode()),
        )
        for one in status
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = [
        "  ".join(f"{one:{width}}" for one, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEAD, *rows)
    ]
    if wide is None or max(map(len, lines)) <= wide:
        return lines
    short = list[str]()
    for url, *its, error in rows:
        about = ", ".join(f"{name} {one}" for name, one in zip(HEAD[1:-1], its, strict=True))
        short += [url, f"  {about}", *([f"  {error}"] if error != "-" else [])]
    return short
