"""`paxos verify`: is what was written down a run of the protocol?"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .drivers.merging import NoRun, live, merge
from .trace import Trace, dumps, loads
from .verifying import NotARun, verify

ABOUT = """Say whether a trace is a run of the protocol: each step is what the rules say for that event,
nothing else was sent and nothing was heard that was not, all lists were read in one order, and what was
decided is the same for all. Give all the traces that the clients of one log have written, or one of
`paxos run --trace`. A trace that ends in the middle of a line, as that of a killed client, is read as far
as it goes."""
EXIT = """exit code: 0 it is a run, 1 it is none: the record and what would have been right, 2 a trace
cannot be read"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `paxos verify`."""
    parser.description, parser.epilog = ABOUT, EXIT
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    flag = parser.add_argument
    flag("traces", nargs="+", metavar="TRACE", help="a file; `-`: the input")
    about = "write there the one trace that those of several clients amount to, without states"
    flag("--out", metavar="WHOLE", help=about)
    parser.set_defaults(act=do)


def do(options: argparse.Namespace) -> int:
    """Read, merge, verify."""
    traces = [read(name) for name in options.traces]
    try:
        whole = joined(traces)
        if options.out:
            write(Path(options.out), whole)
        found = verify(whole)
    except (NoRun, NotARun) as error:
        print(f"no run of {traces[0].header.protocol}: {error}")
        return 1
    print(f"a run of {whole.header.protocol}: {found}")
    return 0


def joined(traces: Sequence[Trace]) -> Trace:
    """The one run that these tell of. Raises NoRun; ValueError for traces that cannot be merged."""
    if all(map(live, traces)):
        return merge(traces)
    if len(traces) > 1:
        raise ValueError("only traces of clients can be merged: give one trace of a whole run")
    return traces[0]


def read(name: str) -> Trace:
    """Read a trace as far as it goes. A complaint names the file."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = raw[: raw.rfind(b"\n") + 1].decode("utf-8-sig")
        return loads(text, whole=False, states=False)
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}. Name a trace") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: not text in UTF-8, so not a trace") from None
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).rstrip('.')}") from None


def write(path: Path, trace: Trace) -> None:
    """Write a file; a complaint names it."""
    try:
        path.write_text(dumps(trace), encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from None
