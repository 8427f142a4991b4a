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
from typing import Any

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
OVERHEAD = 4096  # bytes in an entry beside the texts of its commands


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
        thing = decode(json.loads(raw.removeprefix(HEADER)), KINDS)
        if not known(thing):
            raise ValueError(TOO_NEW)
        hash(thing)
    except (ValueError, TypeError, RecursionError):
        return Entry(hashlib.sha256(raw).hexdigest(), 0, TOO_NEW, log)
    return thing


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
        raise ValueError("it was made by a newer version of paxos: install that one")
    return thing if isinstance(thing, Genesis) else None


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
