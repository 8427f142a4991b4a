"""A list in a folder of Box: `box:///folder-id`, one file for each entry. (0 is the folder of all.)

An upload under a name that is there is refused, and the refusal brings the id of what is there. Without an
upload, the check before one (*preflight*) tells the same. `name_temporarily_reserved` means that an earlier
request for the name is still at work, perhaps our own, and a 503 may still take effect (Box developer
guide, "Common errors"): both are no answer.

Shown on a fake of documented meaning, which is no evidence about the service.
"""

import io
import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import requests
from box_sdk_gen import (
    BoxAPIError,
    BoxClient,
    BoxDeveloperTokenAuth,
    BoxRetryStrategy,
    BoxSDKError,
    NetworkSession,
)
from box_sdk_gen.managers.uploads import (
    PreflightFileUploadCheckParent,
    UploadFileAttributes,
    UploadFileAttributesParentField,
)
from box_sdk_gen.networking.base_urls import BaseUrls
from box_sdk_gen.networking.box_network_client import BoxNetworkClient

from .contract import Aside, Numbered, ServiceError

T = TypeVar("T")
TOKEN = "BOX_TOKEN"
RESERVED = ("name_temporarily_reserved", "operation_blocked_temporary")


class Box(Numbered):
    """Files that are uploaded under their numbers."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        parts = urlsplit(url)
        self.folder = parts.path.strip("/")
        if parts.netloc or not self.folder.isdigit():
            raise ServiceError("a URL of this kind is box:///folder-id, a number", "caller")
        if not (token := os.environ.get(TOKEN)):
            raise ServiceError(f"no credentials for Box: set {TOKEN}", "credentials")
        where = parse_qs(parts.query).get("endpoint")
        bases = (
            BaseUrls(base_url=where[0], upload_url=f"{where[0]}/api", oauth_2_url=f"{where[0]}/o")
            if where
            else BaseUrls()
        )
        # A retry of its own would turn a success of ours into a conflict.
        never = BoxRetryStrategy(max_attempts=1, max_retries_on_exception=0)
        self.session = requests.Session()
        network = NetworkSession(
            network_client=BoxNetworkClient(self.session), base_urls=bases, retry_strategy=never
        )
        self.client = BoxClient(auth=BoxDeveloperTokenAuth(token=token), network_session=network)
        self.ids: dict[str, str] = {}  # of names that are there
        self.aside = Aside(threads=4)

    async def put(self, name: str, entry: bytes) -> bool:
        def upload() -> Any:
            parent = UploadFileAttributesParentField(id=self.folder)
            attributes = UploadFileAttributes(name=name, parent=parent)
            return self.client.uploads.upload_file(attributes, io.BytesIO(entry))

        try:
            made = await self.call(upload, unsure=True)
        except BoxAPIError as error:
            return self.refused(name, error)
        self.ids[name] = made.entries[0].id
        return True

    async def get(self, name: str) -> bytes | None:
        if name not in self.ids and not await self.look(name):
            return None
        read = self.client.downloads.download_file
        try:
            found = await self.call(lambda: (read(self.ids[name]) or io.BytesIO()).read())
        except BoxAPIError as error:
            if error.response_info.status_code == 404:
                return None
            raise self.failed(error) from None
        return found or None  # 202: it is not ready yet

    async def look(self, name: str) -> bool:
        """Is a name there? Its id, if so."""
        parent = PreflightFileUploadCheckParent(id=self.folder)
        check = self.client.uploads.preflight_file_upload_check
        self.requests, self.trips = self.requests + 1, self.trips + 1
        try:
            await self.call(lambda: check(name=name, size=1, parent=parent))
        except BoxAPIError as error:
            self.refused(name, error)
            return name in self.ids
        return False

    def refused(self, name: str, error: BoxAPIError) -> bool:
        """A refusal because the name is there: note the id. Raises ServiceError for any other."""
        its = error.response_info
        if its.status_code == 409 and its.code == "item_name_in_use":
            conflict = (its.context_info or {}).get("conflicts")
            conflict = conflict[0] if isinstance(conflict, list) and conflict else conflict
            if isinstance(conflict, dict):
                self.ids[name] = str(conflict["id"])
            return False
        if its.status_code == 409 and its.code in RESERVED:
            raise ServiceError(f"Box: {its.code}", "service", retry=True, unsure=True)
        raise self.failed(error, unsure=True)

    async def beside(self, name: str) -> str:
        """A folder has a number that no URL can foretell: so it is this one, if it is empty."""
        if await self.read(0) is not None:
            raise ServiceError("this Box folder has a list already: name an empty one", "caller")
        return self.url

    async def hint(self) -> int:
        self.requests, self.trips = self.requests + 1, self.trips + 1
        read = self.client.folders.get_folder_items
        try:
            page = await self.call(lambda: read(self.folder, limit=1000))
        except BoxAPIError as error:
            raise self.failed(error) from None
        self.ids.update({str(one.name): one.id for one in page.entries or ()})
        return page.total_count or 0

    async def close(self) -> None:
        self.aside.close()
        self.session.close()

    async def call(self, what: Callable[..., T], unsure: bool = False) -> T:
        """One request. Raises ServiceError; and BoxAPIError, which says what was wrong with it."""
        try:
            return await self.aside(what)
        except BoxAPIError:
            raise
        except (BoxSDKError, requests.RequestException):  # the second where an answer breaks off
            raise ServiceError("Box: no answer", "network", retry=True, unsure=unsure) from None

    def failed(self, error: BoxAPIError, unsure: bool = False) -> ServiceError:
        status, code = error.response_info.status_code, error.response_info.code or ""
        if status in (401, 403):
            return ServiceError(f"Box denies access: see {TOKEN}", "credentials")
        if status == 429:
            wait = str(error.response_info.headers.get("retry-after", ""))
            after = float(wait) if wait.isdigit() else None
            return ServiceError("Box asks us to slow down", "service", retry=True, after=after)
        passes = status >= 500
        return ServiceError(f"Box: {status} {code}", "service", passes, unsure=passes and unsure)
