"""A list in a WebDAV folder: `webdav+https://host/path`. The server must answer for one name at a time.

An entry is uploaded into a collection that nobody else knows, and that collection is then moved to its
number, with `Overwrite: F` (RFC 4918, section 9.9). Servers that keep files leave this to `rename`, and a
folder is not renamed onto one that is not empty. A plain PUT with a condition will not do: most servers
look first and write later, and let several racers win (see the chapter on races).

The answer of a refusal differs from server to server, so anything but *created* is looked up.
"""

import asyncio
import contextlib
import os
import re
import secrets
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree

import httpx

from .contract import Numbered, ServiceError

NUMBER, ENTRY = re.compile(r"[0-9]{20}"), "entry"
RACES, RACERS = 3, 6  # of the test in `check`
MAYBE = (408, 502, 503, 504)  # who says so has not waited for the end: the MOVE may still be made
USER, PASSWORD = "WEBDAV_USER", "WEBDAV_PASSWORD"


class WebDAV(Numbered):
    """Collections that are moved to their numbers."""

    fresh = True

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        parts = urlsplit(url)
        if not parts.hostname or "@" in parts.netloc:
            raise ServiceError(
                f"a URL of this kind is {parts.scheme}://host/path, and the name and the word that open "
                f"it are in {USER} and {PASSWORD}",
                "caller",
            )
        scheme = parts.scheme.partition("+")[2]
        self.base = urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        user = os.environ.get(USER)
        self.client = httpx.AsyncClient(
            auth=(user, os.environ.get(PASSWORD, "")) if user else None, timeout=timeout
        )

    async def create(self) -> None:
        """Make the folder, if its parent is there."""
        answer = await self.ask("MKCOL", "/")
        if answer.status_code not in (201, 405):  # 405: it is there
            raise self.failed(answer)

    async def check(self) -> None:
        """Move to one name twice, then race for some: each must have one winner, and its content.

        It finds out who ignores the header, and some who look before they move. No test finds all.
        """
        if (await self.ask("PROPFIND", "/", headers={"Depth": "0"})).status_code == 404:
            return  # nothing is there yet to be tried
        mark = f"check-{secrets.token_hex(8)}"
        names = [f"{mark}-{number}" for number in range(RACES + 1)]
        try:
            first, second = [await self.tried(names[0], one) for one in (b"first", b"second")]
            if not first or second or await self.get(names[0]) != b"first":
                raise self.ignored("a second writer of a name was told that it had created it")
            for name in names[1:]:
                await self.race(name)
        finally:
            await asyncio.gather(*(self.ask("DELETE", f"/{name}/") for name in names))

    async def race(self, name: str) -> None:
        """Create a name several times at once. Raises ServiceError if it is seen to go wrong."""
        entries = [f"{name} by {number}".encode() for number in range(RACERS)]
        said = await asyncio.gather(*(self.tried(name, one) for one in entries))
        won = [entry for entry, answer in zip(entries, said, strict=True) if answer]
        if len(won) > 1 or (won and await self.get(name) != won[0]):
            raise self.ignored(f"{len(won)} of {RACERS} writers of a name were told that they won")

    async def tried(self, name: str, entry: bytes) -> bool:
        """Was it created? Where the server does not say, by what can be read then."""
        try:
            return await self.put(name, entry)
        except ServiceError as error:
            if not error.unsure:
                raise
            return await self.get(name) == entry

    def ignored(self, what: str) -> ServiceError:
        return ServiceError(
            f"{self.base} does not keep its word: {what}. Entries would be lost there: use another "
            "service",
            "service",
        )

    async def put(self, name: str, entry: bytes) -> bool:
        draft = f"/.draft-{secrets.token_hex(16)}"
        self.requests, self.trips = (
            self.requests + 2,
            self.trips + 2,
        )  # the third is counted already
        for method, path, content in (
            ("MKCOL", f"{draft}/", b""),
            ("PUT", f"{draft}/{ENTRY}", entry),
        ):
            answer = await self.ask(method, path, content)
            if answer.status_code not in (201, 204):
                raise self.failed(answer)
        header = {"Destination": f"{self.base}/{name}/", "Overwrite": "F"}
        try:
            answer = await self.ask("MOVE", f"{draft}/", headers=header)
        except ServiceError as error:
            raise ServiceError(str(error), error.blame, retry=True, unsure=True) from None
        if answer.status_code == 201:
            return True
        if answer.status_code in (401, 429):
            raise self.failed(answer)
        if answer.status_code == 204:
            raise self.ignored("it replaced what stood there")
        if answer.status_code not in MAYBE:
            await self.discard(draft)
        if answer.status_code == 412:
            return False
        raise ServiceError(
            f"{self.base}: {answer.status_code} to a MOVE", "service", True, unsure=True
        )

    async def discard(self, draft: str) -> None:
        """Remove what was not moved.

        Never while the MOVE may go on: it would move an empty collection, and nobody could read or take
        that number. And a failure here says nothing about the MOVE.
        """
        with contextlib.suppress(ServiceError):
            await self.ask("DELETE", f"{draft}/")

    async def get(self, name: str) -> bytes | None:
        answer = await self.ask("GET", f"/{name}/{ENTRY}")
        if answer.status_code in (404, 409):
            return None
        if answer.status_code != 200:
            raise self.failed(answer)
        return answer.content

    async def hint(self) -> int:
        self.requests, self.trips = self.requests + 1, self.trips + 1
        answer = await self.ask("PROPFIND", "/", headers={"Depth": "1"})
        if answer.status_code != 207:
            raise self.failed(answer)
        try:
            found = ElementTree.fromstring(answer.content)
        except ElementTree.ParseError:
            return 0
        names = (one.text or "" for one in found.iter("{DAV:}href"))
        return sum(1 for name in names if NUMBER.fullmatch(name.rstrip("/").rpartition("/")[2]))

    async def close(self) -> None:
        await self.client.aclose()

    async def ask(
        self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One request. Raises ServiceError where there is no answer."""
        try:
            return await self.client.request(
                method, self.base + path, content=content or None, headers=headers
            )
        except httpx.ConnectError as error:
            raise ServiceError(f"{self.base}: no connection ({error})", "network", True) from None
        except httpx.HTTPError as error:
            what = f"{self.base}: no answer ({type(error).__name__})"
            raise ServiceError(what, "network", retry=True) from None

    def failed(self, answer: httpx.Response) -> ServiceError:
        """Whose fault it is. Before the MOVE nothing has been created."""
        status, what = answer.status_code, f"{self.base}: {answer.status_code}"
        if status in (401, 403):
            return ServiceError(f"{what}: see {USER} and {PASSWORD}", "credentials")
        if status in (404, 409):
            return ServiceError(f"{what}: the folder is not there", "service", retry=False)
        after = answer.headers.get("Retry-After", "")
        passes = status in (423, 429) or status >= 500
        wait = float(after) if after.isdigit() else None
        return ServiceError(what, "service", retry=passes, after=wait)
