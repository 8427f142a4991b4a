"""A list in an Azure append blob: `az-append://container/name`. The service has the list already.

A block is appended whole, and with a condition: that the blob is so many bytes long (REST API, "Append
Block", x-ms-blob-condition-appendpos). So what stands at one length never changes, and an append that
got no answer can be made again: it is either the first at that length, or refused.

A blob is only bytes to who reads it. So each block is one entry behind its length; the lengths lead from
entry to entry. A blob has 50,000 blocks at most ("Scalability and performance targets for Blob Storage").
The list then goes on in the next blob. Nobody begins a blob before having read 50,000 entries in the one
before: nothing can be appended to that one any more, and the order of all entries is settled.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, ContainerClient

from .contract import Aside, Numbered, ServiceError, together
from .objects import KINDS, RACERS, parts_of

T = TypeVar("T")
MAGIC, WIDTH = b"entry ", 10  # before each entry: this, its length in decimal digits, a line end
HEAD = len(MAGIC) + WIDTH + 1
CHUNK = 4 << 20  # bytes in one read: more than an entry has
FULL = "BlockCountExceedsLimit"
NOT_SENT = "NewConnectionError"  # in what the client library says of an error


def framed(entry: bytes) -> bytes:
    """An entry as it lies in a blob."""
    return MAGIC + b"%0*d\n" % (WIDTH, len(entry)) + entry


def unframed(raw: bytes, where: str) -> list[bytes]:
    """The entries that lie in these bytes as a whole; the last one may go on behind them."""
    found, start = list[bytes](), 0
    while len(head := raw[start : start + HEAD]) == HEAD:
        digits = head[len(MAGIC) : -1]
        if not (head.startswith(MAGIC) and head.endswith(b"\n") and digits.isdigit()):
            raise ServiceError(f"{where} holds something that is no entry", "service")
        end = start + HEAD + int(digits)
        if end > len(raw):
            break
        found.append(raw[start + HEAD : end])
        start = end
    if raw and not found:
        raise ServiceError(f"{where} holds something that is no entry", "service")
    return found


class AppendBlob(Numbered):
    """Blocks in append blobs. To know where an entry begins, one must have read all before it."""

    fresh = True
    BLOCKS = 50_000  # of all alike: who counts otherwise begins the next blob too early

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.container, self.place, endpoint = parts_of(url)
        if not self.place:
            raise ServiceError("a URL of this kind is az-append://container/name", "caller")
        if unset := KINDS["az"].unset():
            raise ServiceError(f"no credentials for az-append: set {unset}", "credentials")
        account = os.environ["AZURE_STORAGE_ACCOUNT_NAME"]
        self.door = ContainerClient(
            endpoint or f"https://{account}.blob.core.windows.net",
            self.container,
            credential=credential(account),
            retry_total=0,  # a blind retry of an append that was made would be refused
            connection_timeout=timeout,
            read_timeout=timeout,
            max_single_get_size=CHUNK,
        )
        self.starts = [0]  # where each known entry begins in its blob, and where the next one would
        self.aside = Aside(threads=4)

    async def create(self) -> None:
        await self.call(self.begin, 0)

    async def check(self) -> None:
        """Append several times at once where a blob is empty. Raises ServiceError unless one wins."""
        scratch = self.door.get_blob_client(f"{self.place}-check-{secrets.token_hex(8)}")
        entries = [framed(b"%d" % number) for number in range(RACERS)]
        await self.call(scratch.create_append_blob)
        try:
            won = await together(*(self.call(add, scratch, one, 0) for one in entries))
            raw = await self.call(read, scratch, 0)
        finally:
            with contextlib.suppress(ServiceError):
                await self.call(scratch.delete_blob)
        if won.count(True) != 1 or raw != entries[won.index(True)]:
            raise ServiceError(
                f"{self.url} ignores the condition of an append: {won.count(True)} of {RACERS} were "
                "made at one length. Entries would be lost there",
                "service",
            )

    async def put(self, name: str, entry: bytes) -> bool:
        position = int(name)
        if not await self.look(position):
            raise ServiceError(f"{self.url} has not {position} entries", "caller")
        if position + 1 < len(self.starts):
            return False
        number, index = divmod(position, self.BLOCKS)
        if number and not index:
            self.requests, self.trips = self.requests + 1, self.trips + 1
            await self.call(self.begin, number)
        raw = framed(entry)
        if not await self.call(add, self.blob(number), raw, self.starts[position], writing=True):
            return False
        self.learn(position, [entry])
        return True

    async def get(self, name: str) -> bytes | None:
        position = int(name)
        if not await self.look(position):
            return None
        some, _ = await self.load(position)
        return some[0] if some else None

    async def hint(self) -> int:
        """All is read: without it nobody can know where the end is."""
        return len(await self.fetch())

    async def fetch(self, after: int = 0) -> list[bytes]:
        found, on = list[bytes](), await self.look(after)
        while on:
            some, on = await self.load(after + len(found))
            found += some
        return found

    async def close(self) -> None:
        self.aside.close()
        self.door.close()

    async def look(self, position: int) -> bool:
        """Read on until it is known where this position begins; False if the list ends before it."""
        on = True
        while on and len(self.starts) <= position:
            _, on = await self.load(len(self.starts) - 1)
        return position < len(self.starts)

    async def load(self, position: int) -> tuple[list[bytes], bool]:
        """Some of the entries from a position on, of one blob, and whether there may be more."""
        number, index = divmod(position, self.BLOCKS)
        self.requests, self.trips = self.requests + 1, self.trips + 1
        try:
            raw = await self.call(read, self.blob(number), self.starts[position])
        except Absent:
            if not position:  # there is no list at all
                raise
            return [], False
        some = unframed(raw, self.url)
        self.learn(position, some)
        return some, len(raw) == CHUNK or index + len(some) == self.BLOCKS

    def learn(self, position: int, entries: list[bytes]) -> None:
        """Note where the entries begin that stand behind these."""
        for number, entry in enumerate(entries, position + 1):
            if number == len(self.starts):
                here = self.starts[-1] + len(framed(entry))
                self.starts.append(here if number % self.BLOCKS else 0)
        self.known = max(self.known, len(self.starts) - 1)

    def blob(self, number: int) -> BlobClient:
        return self.door.get_blob_client(f"{self.place}-{number:010d}")

    def begin(self, number: int) -> None:
        """Make an empty blob, unless it is there."""
        with contextlib.suppress(ResourceExistsError):
            self.blob(number).create_append_blob(match_condition=MatchConditions.IfMissing)

    async def call(self, what: Callable[..., T], *arguments: Any, writing: bool = False) -> T:
        """Call the client library aside, and say whose fault it is where that fails."""
        try:
            return await self.aside(what, *arguments)
        except ResourceNotFoundError:
            raise Absent(
                f"{self.url}: there is no such list: make the container, then create the list",
                "caller",
            ) from None
        except AzureError as error:
            raise self.failed(error, writing) from None  # it may quote a signed URL

    def failed(self, error: AzureError, writing: bool) -> ServiceError:
        number = getattr(error, "status_code", None) or 0
        if number < 400:
            sent = NOT_SENT not in repr(error.inner_exception)
            what = f"{self.url}: no {'answer' if sent else 'connection'}"
            return ServiceError(what, "network", retry=True, unsure=sent and writing)
        assert isinstance(error, HttpResponseError)
        what = f"{self.url}: {number} {getattr(error, 'error_code', None) or ''}"
        if number in (401, 403):
            cure = "see that AZURE_STORAGE_ACCOUNT_NAME and its key or token may read and write"
            return ServiceError(f"{what}: {cure}", "credentials")
        headers: Any = getattr(error.response, "headers", {})
        asked = headers.get("Retry-After", "")
        passes = number >= 500 or number == 408
        return ServiceError(
            what,
            "service",
            retry=passes or number == 429,
            unsure=passes and writing,
            after=float(asked) if asked.isdigit() else None,
        )


class Absent(ServiceError):
    """There is no such blob, or no such container."""


def credential(account: str) -> Any:
    """What the client library takes for one, from the same variables as for `az:`."""
    if key := os.environ.get("AZURE_STORAGE_ACCOUNT_KEY"):
        return {"account_name": account, "account_key": key}
    if token := os.environ.get("AZURE_STORAGE_SAS_TOKEN"):
        return token.removeprefix("?")
    raise ServiceError(
        "az-append takes AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN: set one",
        "credentials",
    )


def add(blob: BlobClient, raw: bytes, length: int) -> bool:
    """Append if the blob has this length. False: it is longer, or full."""
    try:
        blob.append_block(raw, length=len(raw), appendpos_condition=length)
    except HttpResponseError as error:
        if error.status_code == 412 or getattr(error, "error_code", None) == FULL:
            return False
        raise
    return True


def read(blob: BlobClient, start: int) -> bytes:
    """Some bytes from here on; none at the end."""
    try:
        return bytes(blob.download_blob(offset=start, length=CHUNK).readall())
    except HttpResponseError as error:
        if error.status_code == 416:
            return b""
        raise
