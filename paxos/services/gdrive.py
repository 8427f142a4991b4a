"""A list of files in Google Drive: `gdrive:///ID`, where ID is that of the first file, drawn before.

Names are not unique on Drive: two files of one name are fine. Ids are, and they can be drawn before a file
is there; to create a second file with one fails with 409 (Google Drive API, "Create and manage files"). So
position k is the k-th of a row of ids. The file at each hundredth position begins with the ids of the next
hundred: whoever creates it first decides, and all agree.

Not verified on the real service: that another user may use ids that were drawn "for the requesting user",
that they do not expire, that of two who create at one instant one is refused. Nothing is ever deleted.
Shown on a fake of documented meaning, which is no evidence about the service.
"""

import io
import json
import os
import threading
from collections.abc import Callable
from http.client import HTTPException  # where an answer breaks off
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import google.auth
import google_auth_httplib2
import googleapiclient
import httplib2
from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from .contract import Aside, Numbered, ServiceError

T = TypeVar("T")
CREDENTIALS = "GDRIVE_TOKEN, or GOOGLE_APPLICATION_CREDENTIALS"
SCOPE = "https://www.googleapis.com/auth/drive.file"
BATCH = 100  # positions whose ids stand in one file
MARK = b"paxos-ids "
BUSY = ("rateLimitExceeded", "userRateLimitExceeded")


class Drive(Numbered):
    """Files that are created with ids drawn before."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self.first, self.folder = parts.path.strip("/"), query.get("folder", [""])[0]
        self.row = [self.first] if self.first else []  # the ids of positions, as far as known
        self.document = discovery(query.get("endpoint", [""])[0])
        self.credentials = credentials()
        self.connections: list[Any] = []
        self.local = threading.local()  # the client library may not be shared between threads
        self.aside = Aside(threads=4)

    async def create(self) -> None:
        """The first id is in the URL; without one, one is drawn, and told."""
        if not self.first:
            drawn = (await self.draw(1))[0]
            raise ServiceError(
                f"this list has no first id yet. Here is one: use gdrive:///{drawn} on every device "
                "(and ?folder=ID, to have the files in a folder)",
                "caller",
            )

    async def check(self) -> None:
        await self.create()

    async def beside(self, name: str) -> str:
        """Files are nowhere in particular: another first id is another list."""
        _, mark, query = self.url.partition("?")
        return f"gdrive:///{(await self.draw(1))[0]}{mark}{query}"

    async def put(self, name: str, entry: bytes) -> bool:
        position = int(name)
        body: dict[str, Any] = {"id": await self.id_of(position), "name": f"paxos-{name}"}
        if self.folder:
            body["parents"] = [self.folder]
        content = entry
        if position % BATCH == 0:
            content = MARK + ",".join(await self.draw(BATCH)).encode() + b"\n" + entry

        def upload(files: Any) -> Any:
            media = MediaIoBaseUpload(io.BytesIO(content), "application/octet-stream")
            return files.create(body=body, media_body=media, fields="id")

        try:
            await self.call(upload, unsure=True)
        except HttpError as error:
            if error.resp.status == 409:
                return False
            raise self.failed(error, unsure=True) from None
        return True

    async def get(self, name: str) -> bytes | None:
        position = int(name)
        if position >= len(self.row) and not await self.known_to(position):
            return None
        content = await self.read_id(self.row[position])
        if content is None or position % BATCH:
            return content
        return self.taken(position, content)

    async def read_id(self, id: str) -> bytes | None:
        """What the file with this id holds; None: there is no such file."""
        try:
            return bytes(await self.call(lambda files: files.get_media(fileId=id)))
        except HttpError as error:
            if error.resp.status == 404:
                return None
            raise self.failed(error) from None

    def taken(self, position: int, content: bytes) -> bytes:
        """The entry in a file that begins with the ids of the next batch: note these."""
        head, mark, entry = content.partition(b"\n")
        ids = head.removeprefix(MARK).decode(errors="replace").split(",")
        if not (mark and head.startswith(MARK)) or len(ids) != BATCH:
            raise ServiceError(f"file {self.row[position]} of Drive is no entry of ours", "service")
        if len(self.row) == position + 1:
            self.row += ids
        return entry

    async def known_to(self, position: int) -> bool:
        """Read the ids up to this position, as far as they are there."""
        while position >= len(self.row):
            last = len(self.row) - 1
            self.requests, self.trips = self.requests + 1, self.trips + 1
            if (content := await self.read_id(self.row[last])) is None:
                return False
            self.taken(last, content)
        return True

    async def id_of(self, position: int) -> str:
        if not await self.known_to(position):
            raise ServiceError(f"position {position} has no id yet", "service", retry=True)
        return self.row[position]

    async def draw(self, count: int) -> list[str]:
        """Ids that nobody else has."""
        self.requests, self.trips = self.requests + 1, self.trips + 1
        try:
            found = await self.call(lambda files: files.generateIds(count=count, space="drive"))
        except HttpError as error:
            raise self.failed(error) from None
        return [str(one) for one in found["ids"]]

    async def hint(self) -> int:
        """The end is found batch by batch."""
        position = 0
        while await self.known_to(position + BATCH):
            position += BATCH
        return position

    async def close(self) -> None:
        self.aside.close()
        for one in self.connections:
            one.close()

    async def call(self, what: Callable[[Any], Any], unsure: bool = False) -> Any:
        """One request. Raises ServiceError; and HttpError, which says what was wrong with it."""

        def run() -> Any:
            if not hasattr(self.local, "files"):
                plain = httplib2.Http(timeout=self.timeout)
                self.connections.append(plain)
                http = google_auth_httplib2.AuthorizedHttp(self.credentials, plain)
                self.local.files = build_from_document(self.document, http=http).files()
            return what(self.local.files).execute(num_retries=0)

        try:
            return await self.aside(run)
        except HttpError:
            raise
        except GoogleAuthError:
            raise ServiceError(f"Drive denies access: see {CREDENTIALS}", "credentials") from None
        except (OSError, httplib2.HttpLib2Error, HTTPException, EOFError) as error:
            what_ = f"Drive: no answer ({type(error).__name__})"
            raise ServiceError(what_, "network", retry=True, unsure=unsure) from None

    def failed(self, error: HttpError, unsure: bool = False) -> ServiceError:
        status, busy = error.resp.status, any(word in str(error.content) for word in BUSY)
        if status == 429 or (status == 403 and busy):
            wait = str(error.resp.get("retry-after", ""))
            after = float(wait) if wait.isdigit() else None
            return ServiceError("Drive asks us to slow down", "service", retry=True, after=after)
        if status in (401, 403):
            return ServiceError(f"Drive denies access: see {CREDENTIALS}", "credentials")
        passes = status >= 500
        return ServiceError(f"Drive: {status}", "service", passes, unsure=passes and unsure)


def discovery(endpoint: str) -> dict[str, Any]:
    """What the client library knows of Drive; with another endpoint for tests."""
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    document: dict[str, Any] = json.loads((folder / "drive.v3.json").read_text("utf-8"))
    if endpoint:
        document.update(rootUrl=f"{endpoint}/", baseUrl=f"{endpoint}/drive/v3/")
        document.pop("mtlsRootUrl", None)
    return document


def credentials() -> Any:
    """Those of the environment. The client library refreshes them."""
    if token := os.environ.get("GDRIVE_TOKEN"):
        return Credentials(token=token)  # type: ignore[no-untyped-call]
    try:
        found, _ = google.auth.default(scopes=[SCOPE])
    except GoogleAuthError:
        what = f"no credentials for Drive: set {CREDENTIALS}"
        raise ServiceError(what, "credentials") from None
    return found
