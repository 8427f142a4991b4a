"""What stands in a list, as bytes: a header with the version, and JSON. And bytes from a user as text.

Every reader must make the same of the same bytes, so the rules are part of the format:

* what does not begin with our header, or is longer than the genesis allows, is nothing of ours: skipped;
* what does, and is of a newer version or of a kind that we do not know, stops the reader: it may mean
  something.

Nothing read is evaluated.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

from ..codec import decode, encode
from ..protocol.lists import Entry, Genesis
from ..protocol.messages import Accept, Command, InSlot, Prepare

HEADER, VERSION = b"paxos/1 ", re.compile(rb"paxos/[0-9]{1,9} ")
KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (Genesis, Entry, Prepare, Accept, InSlot, Command)
}
TOO_NEW = "written by a newer version, or damaged"
BINARY = "\0"  # marks a text that stands for bytes
BATCHED = 16  # commands in an entry, at most (`protocol.log.BATCH`)
OVERHEAD = 1 << 14  # bytes in an entry beside the texts of its commands, at most


def pack(thing: Genesis | Entry) -> bytes:
    """An entry as it is appended."""
    return HEADER + json.dumps(encode(thing), separators=(",", ":")).encode()


def unpack(raw: bytes, log: str, limit: int) -> Any:
    """What bytes in a list of this log mean: a Genesis, an Entry, or a text that every reader skips."""
    if len(raw) > limit or not VERSION.match(raw):
        return f"foreign: {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}"
    try:
        if not raw.startswith(HEADER):
            raise ValueError(TOO_NEW)
        told = json.loads(raw.removeprefix(HEADER).decode())
        json.dumps(told, ensure_ascii=False).encode()  # half a sign is no text
        thing = decode(told, KINDS)
        if not known(thing):
            raise ValueError(TOO_NEW)
        hash(thing)
    except (ValueError, TypeError, RecursionError):
        return Entry(hashlib.sha256(raw).hexdigest(), 0, TOO_NEW, log)
    return thing


def same(one: Genesis, other: Genesis) -> bool:
    """Are these two of one log?"""
    return replace(one, name=other.name) == other


class Digest:
    """A digest of what was read in a list, one thing after the other."""

    def __init__(self) -> None:
        self.sha, self.count = hashlib.sha256(), 0

    def add(self, things: Iterable[Any]) -> Self:
        for one in things:
            raw = one.encode() if isinstance(one, str) else pack(one)
            self.sha.update(b"%d %b" % (len(raw), raw))
            self.count += 1
        return self

    @property
    def hex(self) -> str:
        return self.sha.hexdigest()


def known(thing: Any) -> bool:
    """Is this something that a client of this version writes?"""
    match thing:
        case Genesis() | Entry(content=Command() | Prepare() | InSlot(_, Prepare())):
            return True
        case Entry(content=InSlot(_, Accept(_, tuple(batch)))):
            return all(isinstance(one, Command) for one in batch)
    return False


def genesis(raw: bytes) -> Genesis | None:
    """Entry 0, if it is the genesis of a list of ours. Raises ValueError for one of a newer version."""
    thing = unpack(raw, "", len(raw))
    if isinstance(thing, Entry) and thing.content == TOO_NEW:
        raise ValueError("it was made by a newer version of paxos, or is damaged")
    if not isinstance(thing, Genesis):
        return None
    names = thing.lists
    if thing.version != 1 or thing.name not in names or len(set(names)) < len(names):
        raise ValueError("it was made by a newer version of paxos, or is damaged")
    return thing


def text(data: bytes) -> str:
    """A user's bytes, as the text of a command."""
    try:
        shown = data.decode()
    except UnicodeDecodeError:
        shown = BINARY
    return BINARY + base64.b64encode(data).decode() if shown.startswith(BINARY) else shown


def quoted(text: str) -> str:
    """A text as it takes place in an entry."""
    return json.dumps(text)


def data(text: str) -> bytes:
    """The inverse of `text`, for whatever another client may have written."""
    if text.startswith(BINARY):
        try:
            return base64.b64decode(text[1:], validate=True)
        except ValueError:
            pass
    return text.encode(errors="surrogatepass")
