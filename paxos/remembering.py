"""What a device remembers of a log from one life to the next: a small file, `open(remember=FILE)`.

It says which log this is and, for each service, which list was there, how many of its entries were
read, and a digest of them. A list that is gone, or that has changed what it said, is refused: a promise
may have gone with it. Without such a file a device believes whatever it is shown when it opens.
"""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from .drivers.live import Live
from .drivers.places import Mismatch, Place
from .drivers.wire import Digest, unpack
from .opening import Memory
from .protocol.lists import Genesis

FORMAT = "paxos-seen"
OFTEN = 100  # entries that may be read before they are written down


class Remembered:
    """The file, and what goes into it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.log, self.services = "", dict[str, Any]()
        self.digests: dict[str, Digest] = {}  # of what was read in this life, by list
        self.written = 0
        try:
            self.load(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise Mismatch(
                f"{self.path} is not what paxos wrote there: {error}. Without it paxos would believe "
                "whatever the services show; remove it if you do too"
            ) from None

    def load(self, data: Any) -> None:
        """Take what was written. Raises ValueError."""
        if not isinstance(data, dict) or (data.get("format"), data.get("version")) != (FORMAT, 1):
            raise ValueError(f"no {FORMAT} file of version 1")
        log, services = data.get("log"), data.get("services")
        kinds = {"list": str, "entries": int, "digest": str}
        if not (isinstance(log, str) and log and isinstance(services, dict)):
            raise ValueError("a field is missing")
        for one in services.values():
            fits = isinstance(one, dict) and one.keys() == kinds.keys()
            if not (fits and all(isinstance(one[name], kind) for name, kind in kinds.items())):
                raise ValueError("a field is missing")
        self.log, self.services = log, services

    @property
    def memory(self) -> Memory:
        """What an opening must know."""
        return Memory(self.log, {url: one["list"] for url, one in self.services.items()})

    def check(self, places: list[Place], genesis: Genesis) -> None:
        """Raises Mismatch for a list that shows something else than it did. The others are noted."""
        for place in places:
            if one := self.services.get(place.url):
                place.seen, place.digest = one["entries"], one["digest"]
                if place.first is not None and len(place.first) >= place.seen:
                    place.unchanged(place.first, genesis)
        self.log = genesis.log
        for place in places:
            if place.first and place.name and not place.seen:
                first = unpack(place.first[0], genesis.log, genesis.limit)
                self.put(place, place.name, Digest().add([first]))
        self.save()

    def put(self, place: Place, name: str, digest: Digest) -> None:
        """So much has been read in this list."""
        about = {"list": name, "entries": digest.count, "digest": digest.hex}
        self.services[place.url] = about

    def note(self, live: Live, always: bool = False) -> None:
        """Write down what was read since, if it is much, or `always`."""
        views = dict(live.me.views)
        named = [(one, views[one.name]) for one in live.places if one.name and not one.refused]
        total = sum(view.end for _, view in named)
        if not always and total < self.written + OFTEN:
            return
        self.written = total
        for place, view in named:
            assert place.name
            digest = self.digests.setdefault(place.name, Digest())
            digest.add(view.things[digest.count :])
            if view.end >= max(place.seen, 1) and not view.trouble:
                self.put(place, place.name, digest)
        self.save()

    def save(self) -> None:
        """Replace the file as a whole: who looks sees the old one or the new one."""
        data = {"format": FORMAT, "version": 1, "log": self.log, "services": self.services}
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(json.dumps(data, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
