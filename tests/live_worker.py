"""A process that appends to a log until all of its entries are acknowledged. It may be killed at any time.

    python tests/live_worker.py NAME LIFE FOLDER COUNT CHUNK URL...

What is acknowledged is written to FOLDER/NAME.acks, one line `index TAB text` each. An entry whose fate a
former life did not learn gets a new text, for nobody knows whether the old one is in the log.

With SLEEP in the environment, one of MOMENTS and a number, it stops itself by SIGSTOP when that moment
comes for the so manieth time: from outside nobody could hit it.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paxos.client import open as open_log
from paxos.drivers.live import content
from paxos.protocol.events import Answer
from paxos.protocol.messages import Accept, Appended, InSlot, Prepare
from paxos.trace import Step


def about(entry: Any) -> Any:
    """The Prepare or the Accept in an entry."""
    return entry.content if isinstance(entry, InSlot) else entry


def asks(record: Any, kind: type) -> bool:
    """Are requests of this kind about to be sent?"""
    sent = record.sent if isinstance(record, Step) else ()
    return any(isinstance(about(content(one.message)), kind) for one in sent)


def half(record: Any) -> bool:
    """Has one list taken our vote, and no majority yet?"""
    match record:
        case Step(event=Answer(_, Appended(entry))):
            return isinstance(about(entry.content), Accept) and not record.effects
    return False


MOMENTS: dict[str, Callable[[Any], bool]] = {
    "before phase 1": lambda record: asks(record, Prepare),
    "between the phases": lambda record: asks(record, Accept),
    "within phase 2": half,
    "within an append": lambda _: False,  # see `sleep`: that is no record
}


def sleep(log: Any, moment: str, left: int) -> None:
    """Stop in front of what comes after this moment: records are written before they are carried out."""
    write, link = log.write, Path.hardlink_to

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # this thread first

    def writing(record: Any) -> None:
        write(record)
        if MOMENTS[moment](record):
            count()

    def linking(self: Path, target: Path) -> None:
        if b'"Accept"' in Path(target).read_bytes():
            count()
        link(self, target)

    log.write = writing
    if moment == "within an append":
        Path.hardlink_to = linking  # type: ignore[method-assign]


def acknowledged(folder: Path, name: str) -> list[tuple[int, str]]:
    """What the lives of this name so far know to be in the log."""
    path = folder / f"{name}.acks"
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    pairs = (line.split("\t") for line in lines)
    return [(int(index), text) for index, text in pairs]


async def work(name: str, life: str, folder: Path, count: int, chunk: int, urls: list[str]) -> None:
    done = {int(text.split(".")[1]) for _, text in acknowledged(folder, name)}
    left = [number for number in range(count) if number not in done]
    trace = folder / f"{name}.{life}.ndjson"
    log = open_log(*urls, name=name, trace=trace)
    if moment := os.environ.get("SLEEP"):
        what, _, number = moment.rpartition(" ")
        sleep(log, what, int(number))
    with (folder / f"{name}.acks").open("a", encoding="utf-8") as acks:
        async with log:

            async def append(number: int) -> None:
                text = f"{name}.{number}.{life}"
                index = await log.append(text)
                acks.write(f"{index}\t{text}\n")
                acks.flush()

            while left:
                some, left = left[:chunk], left[chunk:]
                await asyncio.gather(*map(append, some))


if __name__ == "__main__":
    name, life, folder, count, chunk, *urls = sys.argv[1:]
    asyncio.run(work(name, life, Path(folder), int(count), int(chunk), urls))
