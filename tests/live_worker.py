"""A process that appends to a log until all of its entries are acknowledged. It may be killed at any time.

    python tests/live_worker.py NAME LIFE FOLDER COUNT CHUNK URL...

What is acknowledged is written to FOLDER/NAME.acks, one line `index TAB text` each. An entry whose fate a
former life did not learn gets a new text, for nobody knows whether the old one is in the log.
"""

import asyncio
import sys
from pathlib import Path

from paxos.client import open as open_log


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
    with (folder / f"{name}.acks").open("a", encoding="utf-8") as acks:
        async with open_log(*urls, name=name, trace=trace) as log:

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
