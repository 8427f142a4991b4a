"""A list in a folder of OneDrive: `onedrive:///folder`, one file for each entry.

By default a PUT replaces. `conflictBehavior=fail`, in the query, makes it fail where the name is taken
(Microsoft Graph, "Upload or replace the contents of a driveItem"). Its users report a 409 with no conflict
(onedrive-api-docs, 1415), and one that comes before the winner can be read (1098): so a 409 is read back,
with patience. Upload sessions are said to overwrite in spite of it (microsoft-graph-docs, 3276): not used.

That `fail` is atomic is documented nowhere that we found. Shown on a fake of documented meaning, which is
no evidence about the service.
"""

import asyncio
import os
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx

from .contract import Numbered, ServiceError

GRAPH, LOGIN = "https://graph.microsoft.com", "https://login.microsoftonline.com"
CREDENTIALS = "ONEDRIVE_TOKEN, or ONEDRIVE_REFRESH_TOKEN and ONEDRIVE_CLIENT_ID"
FAIL = {"@microsoft.graph.conflictBehavior": "fail"}


class OneDrive(Numbered):
    """Files that are put under their numbers."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        parts = urlsplit(url)
        self.folder = unquote(parts.path).strip("/")
        if parts.netloc or not self.folder:
            raise ServiceError("a URL of this kind is onedrive:///folder", "caller")
        where = parse_qs(parts.query).get("endpoint")
        self.graph, self.login = (where[0], where[0]) if where else (GRAPH, LOGIN)
        self.token = os.environ.get("ONEDRIVE_TOKEN")
        self.secrets = [os.environ.get(f"ONEDRIVE_{one}") for one in ("REFRESH_TOKEN", "CLIENT_ID")]
        if not (self.token or all(self.secrets)):
            raise ServiceError(f"no credentials for OneDrive: set {CREDENTIALS}", "credentials")
        self.client = httpx.AsyncClient(timeout=timeout, follow_redirects=True)
        self.renewing = asyncio.Lock()

    def path(self, name: str = "") -> str:
        whole = f"{self.folder}/{name}" if name else self.folder
        return f"{self.graph}/v1.0/me/drive/root:/{quote(whole)}:"

    async def create(self) -> None:
        """Make the folder, and those above it."""
        above = f"{self.graph}/v1.0/me/drive/root"
        done = list[str]()
        for name in self.folder.split("/"):
            body = {"name": name, "folder": {}, **FAIL}
            answer = await self.ask("POST", f"{above}/children", json=body)
            if answer.status_code not in (201, 409):
                raise self.failed(answer)
            done.append(name)
            above = f"{self.graph}/v1.0/me/drive/root:/{quote('/'.join(done))}:"

    async def put(self, name: str, entry: bytes) -> bool:
        kind = {"Content-Type": "application/octet-stream"}
        where = f"{self.path(name)}/content"
        answer = await self.ask("PUT", where, params=FAIL, content=entry, headers=kind, unsure=True)
        if answer.status_code == 201:
            return True
        if answer.status_code == 409 and code(answer) == "nameAlreadyExists":
            return False
        if answer.status_code == 409:
            raise ServiceError(f"OneDrive: {code(answer)}", "service", retry=True, unsure=True)
        raise self.failed(answer, unsure=True)

    async def get(self, name: str) -> bytes | None:
        answer = await self.ask("GET", f"{self.path(name)}/content")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise self.failed(answer)
        return answer.content

    async def hint(self) -> int:
        where: str | None = f"{self.path()}/children?$select=name&$top=1000"
        count = 0
        while where:
            self.requests, self.trips = self.requests + 1, self.trips + 1
            answer = await self.ask("GET", where)
            if answer.status_code == 404:
                return 0
            if answer.status_code != 200:
                raise self.failed(answer)
            page = answer.json()
            count += len(page.get("value", ()))
            where = page.get("@odata.nextLink")
        return count

    async def close(self) -> None:
        await self.client.aclose()

    async def ask(
        self, method: str, url: str, unsure: bool = False, headers: Any = None, **more: Any
    ) -> httpx.Response:
        """One request; with a new token if the old one has expired. Raises ServiceError."""
        for again in (True, False):
            token = self.token or await self.renew(None)
            named = {"Authorization": f"Bearer {token}", **(headers or {})}
            try:
                answer = await self.client.request(method, url, headers=named, **more)
            except httpx.HTTPError as error:
                sent = not isinstance(error, httpx.ConnectError)
                what = f"OneDrive: no answer ({type(error).__name__})"
                raise ServiceError(what, "network", True, unsure=unsure and sent) from None
            if not (answer.status_code == 401 and again and all(self.secrets)):
                return answer
            await self.renew(token)
        raise AssertionError("the second answer is returned")

    async def renew(self, old: str | None) -> str:
        """A new token, for all who found the old one expired."""
        async with self.renewing:
            if self.token in (None, old):
                refresh, client = self.secrets
                form = {
                    "grant_type": "refresh_token",
                    "refresh_token": refresh,
                    "client_id": client,
                }
                where = f"{self.login}/common/oauth2/v2.0/token"
                answer = await self.client.post(where, data=form)
                if answer.status_code != 200:
                    raise ServiceError(f"OneDrive denies access: see {CREDENTIALS}", "credentials")
                its = answer.json()
                self.token = str(its["access_token"])
                self.secrets[0] = its.get("refresh_token", refresh)
            assert self.token
            return self.token

    def failed(self, answer: httpx.Response, unsure: bool = False) -> ServiceError:
        status = answer.status_code
        if status in (401, 403):
            return ServiceError(f"OneDrive denies access: see {CREDENTIALS}", "credentials")
        wait = answer.headers.get("Retry-After", "")
        after = float(wait) if wait.isdigit() else None
        passes = status >= 500
        what = f"OneDrive: {status} {code(answer)}"
        return ServiceError(what, "service", passes or status == 429, passes and unsure, after)


def code(answer: httpx.Response) -> str:
    """What the service calls the error."""
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
