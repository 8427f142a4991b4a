"""A list in a folder of Dropbox: `dropbox:///folder`, one file for each entry.

An upload in mode `add` fails where the name has other content. Where it has *the same* content it is no
conflict, and nothing is written (Dropbox for Python, `WriteMode`): so a repeated upload succeeds, and two
clients with equal entries would both have won. No two entries of a list are equal.

Not promised anywhere that we found: that a download shows what was just uploaded. Shown on a fake of
documented meaning, which is no evidence about the service.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import dropbox
import requests
from dropbox import exceptions
from dropbox.files import WriteMode

from .contract import Aside, Numbered, ServiceError

T = TypeVar("T")
CREDENTIALS = "DROPBOX_TOKEN, or DROPBOX_REFRESH_TOKEN and DROPBOX_APP_KEY"


class Elsewhere(requests.adapters.HTTPAdapter):
    """Sends to another server what is meant for the hosts of Dropbox: for tests."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = urlsplit(endpoint)

    def send(self, request: requests.PreparedRequest, *rest: Any, **more: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        there = (self.endpoint.scheme, self.endpoint.netloc, parts.path, parts.query, "")
        request.url = str(urlunsplit(there))
        return super().send(request, *rest, **more)


class Dropbox(Numbered):
    """Files that are uploaded under their numbers."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        parts = urlsplit(url)
        self.folder = "/" + unquote(parts.path).strip("/").lower()
        if parts.netloc or self.folder == "/":
            raise ServiceError("a URL of this kind is dropbox:///folder", "caller")
        token, refresh = os.environ.get("DROPBOX_TOKEN"), os.environ.get("DROPBOX_REFRESH_TOKEN")
        key = os.environ.get("DROPBOX_APP_KEY")
        if not (token or (refresh and key)):
            raise ServiceError(f"no credentials for Dropbox: set {CREDENTIALS}", "credentials")
        session = requests.Session()
        if endpoint := parse_qs(parts.query).get("endpoint"):
            session.mount("https://", Elsewhere(endpoint[0]))
        # A retry of its own would hide from us that the outcome was unknown.
        self.client = dropbox.Dropbox(
            oauth2_access_token=token,
            oauth2_refresh_token=refresh,
            app_key=key,
            app_secret=os.environ.get("DROPBOX_APP_SECRET"),
            max_retries_on_error=0,
            max_retries_on_rate_limit=0,
            session=session,
            timeout=timeout,
        )
        self.aside = Aside(threads=4)

    async def create(self) -> None:
        try:
            await self.call(self.client.files_create_folder_v2, self.folder)
        except exceptions.ApiError as error:
            if not (error.error.is_path() and error.error.get_path().is_conflict()):
                raise self.failed(error) from None

    async def put(self, name: str, entry: bytes) -> bool:
        def upload() -> Any:
            mode, path = WriteMode.add, f"{self.folder}/{name}"
            return self.client.files_upload(
                entry, path, mode, autorename=False, mute=True, strict_conflict=False
            )

        try:
            await self.call(upload, unsure=True)
        except exceptions.ApiError as error:
            if error.error.is_path() and error.error.get_path().reason.is_conflict():
                return False
            raise self.failed(error) from None
        return True

    async def get(self, name: str) -> bytes | None:
        def download() -> bytes:
            _, answer = self.client.files_download(f"{self.folder}/{name}")
            with answer:
                return bytes(answer.content)

        try:
            return await self.call(download)
        except exceptions.ApiError as error:
            if error.error.is_path() and error.error.get_path().is_not_found():
                return None
            raise self.failed(error) from None

    async def hint(self) -> int:
        self.requests, self.trips = self.requests + 1, self.trips + 1
        count = 0
        try:
            page = await self.call(self.client.files_list_folder, self.folder)
            count = len(page.entries)
            while page.has_more:
                page = await self.call(self.client.files_list_folder_continue, page.cursor)
                count += len(page.entries)
        except exceptions.ApiError:
            return 0  # only a hint
        return count

    async def close(self) -> None:
        self.aside.close()
        self.client.close()

    async def call(self, what: Callable[..., T], *arguments: Any, unsure: bool = False) -> T:
        """One request. Raises ServiceError; and ApiError, which says what was wrong with it."""
        try:
            return await self.aside(what, *arguments)
        except exceptions.RateLimitError as error:
            wait = error.backoff
            raise ServiceError(
                "Dropbox asks us to slow down", "service", True, after=wait
            ) from None
        except exceptions.AuthError:
            raise ServiceError(f"Dropbox denies access: see {CREDENTIALS}", "credentials") from None
        except exceptions.HttpError as error:
            what_ = f"Dropbox: {error.status_code}"
            raise ServiceError(
                what_, "service", True, error.status_code >= 500 and unsure
            ) from None
        except requests.RequestException as error:
            what_ = f"Dropbox: no answer ({type(error).__name__})"
            raise ServiceError(what_, "network", retry=True, unsure=unsure) from None

    def failed(self, error: exceptions.ApiError) -> ServiceError:
        busy = "too_many_write_operations" in str(error.error)
        return ServiceError(f"Dropbox refuses: {error.error}", "service", retry=busy)
