"""`paxos demo`: two writers agree through three folders, in one terminal; delete a folder meanwhile."""

import argparse
import asyncio
import logging
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import Log

NAMES = ("ann", "ben")
WORDS = ("takes the car", "brings it back", "fills it up", "washes it", "lost the key", "found it")
PAUSE = 0.8  # seconds between two entries of one writer, about


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `paxos demo`."""
    parser.description = "Two writers agree through three folders. Delete one of the folders while it runs: they go on."
    flag = parser.add_argument
    flag("--seconds", type=float, default=20.0, metavar="S", help="end then; default 20")
    flag("--delete", action="store_true", help="delete one of the folders in the middle of it")
    flag("--keep", action="store_true", help="leave the folders where they are")
    parser.set_defaults(act=do)


def do(options: argparse.Namespace) -> int:
    """Make the folders, let two write, and tidy up."""
    if not 0 < options.seconds < 1e6:
        raise ValueError(f"--seconds {options.seconds}: give it some seconds")
    home = Path(tempfile.mkdtemp(prefix="paxos-demo-"))
    logger = logging.getLogger("paxos")
    before = logger.level
    logger.setLevel(logging.CRITICAL)  # the demo tells of failures itself, once
    try:
        return asyncio.run(Demo(home, options).run())
    except KeyboardInterrupt:
        return 0
    finally:
        logger.setLevel(before)
        if options.keep:
            print(f"The folders are still in {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


class Demo:
    """Three folders, two writers, one terminal."""

    def __init__(self, home: Path, options: argparse.Namespace) -> None:
        self.folders = [home / name for name in ("nas", "stick", "cloud")]
        self.options, self.printed = options, 0
        self.gone: set[str] = set()

    async def run(self) -> int:
        """All of it. 0: both have the same log."""
        from .client import open

        urls = [folder.as_uri() for folder in self.folders]
        print(f"Three folders: {', '.join(map(str, self.folders))}")
        print(f"Delete one of them while this runs, for example: rm -r {self.folders[1]}\n")
        print(f"{'':>4}  {'what ' + NAMES[0] + ' reads':32}what {NAMES[1]} reads", flush=True)
        async with open(*urls, name=NAMES[0]) as ann, open(*urls, name=NAMES[1]) as ben:
            both = (ann, ben)
            work = [asyncio.create_task(self.write(one)) for one in both]
            work.append(asyncio.create_task(self.tell(both)))
            if self.options.delete:
                work.append(asyncio.create_task(self.delete()))
            try:
                done, _ = await asyncio.wait(
                    work, timeout=self.options.seconds, return_when=asyncio.FIRST_EXCEPTION
                )
            finally:
                for one in work:
                    one.cancel()
                await asyncio.gather(*work, return_exceptions=True)
            for one in done:
                one.result()
            return await self.end(both)

    async def write(self, log: "Log") -> None:
        """Append something now and then."""
        for number in range(10**9):
            await asyncio.sleep(PAUSE * (0.5 + random.random()))
            await log.append(WORDS[number % len(WORDS)])

    async def tell(self, both: tuple["Log", "Log"]) -> None:
        """Print each entry once both have read it; and each folder that is gone, once."""
        while True:
            await self.show(both)
            for one in both[0].status():
                if one.up is False and one.url not in self.gone:
                    self.gone.add(one.url)
                    left = len(self.folders) - len(self.gone)
                    print(f"      {one.url} is gone; {left} of 3 answer", flush=True)
            await asyncio.sleep(0.05)

    async def show(self, both: tuple["Log", "Log"]) -> None:
        for log in both:
            log.count()
        for mine, theirs in list(zip(both[0].entries, both[1].entries, strict=False))[
            self.printed :
        ]:
            told = [f"{one.author} {one.text}" for one in (mine, theirs)]
            print(f"{mine.index:>4}  {told[0]:32}{told[1]}", flush=True)
            self.printed += 1

    async def delete(self) -> None:
        """Delete the folder in the middle, in the middle of it."""
        await asyncio.sleep(self.options.seconds / 3)
        print(f"      rm -r {self.folders[1]}", flush=True)
        away = self.folders[1].with_name("deleted")  # at once, whoever writes to it now
        self.folders[1].rename(away)
        shutil.rmtree(away, ignore_errors=True)

    async def end(self, both: tuple["Log", "Log"]) -> int:
        """Read it all once more, and compare."""
        from .client import Undecided

        try:
            for log in both:
                await log.append("goes home", timeout=10)
            first, second = [await log.read(timeout=10) for log in both]
        except Undecided as error:
            print(f"\n{error}")
            return 3
        await self.show(both)
        same = first == second
        print(f"\n{len(first)} entries, {'the same' if same else 'NOT the same'} for both.")
        return 0 if same else 1
