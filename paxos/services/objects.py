"""A list in an object store: `s3://bucket/place`, `gs://bucket/place`, `az://container/place`.

An entry is an object that is created only if its name is free: the header If-None-Match: * of S3 and
Azure, x-goog-if-generation-match: 0 of Google. All three say that a name is read as it was last written.

What only looks like such a store may ignore the header, and answers as if each writer had come first.
`check` finds those out by writing; the table in the book names some.

* S3 answers 412 where the name is taken, and 409 where another create of it is under way; of that one
  nobody knows yet whether it will be there (S3 user guide, "Conditional writes"). The client library
  reports both as "already exists". So a refusal is no answer until the name has been read.
* Whoever may not list a bucket gets 403 for a name that is not there, and cannot find the end.
* In a bucket with versions a deleted name is free again. Nothing that belongs to a list is ever deleted.
"""

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import AzureStore, GCSStore, S3Store

from .contract import Numbered, ServiceError

NUMBER = re.compile(r"[0-9]{20}")
STATUS = re.compile(r"non-2xx status code: ([0-9]{3})")
CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")
NO_PLACE = {"NoSuchBucket", "ContainerNotFound"}
NOT_SENT = "kind: Connect"  # in the client library's account of an error: there was no connection
RACES, RACERS = 3, 8  # of the test in `check`


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the three kinds of object store."""

    store: Any
    variables: Sequence[Sequence[str]]  # one of each must be set
    fixed: dict[str, Any]  # what no variable of the environment may change

    def unset(self) -> str:
        """What is to be set before there are credentials; "" if they are there."""
        for names in self.variables:
            if not any(os.environ.get(name) for name in names):
                return " or ".join(names)
        return ""


GOOGLE_LOGIN = Path("~/.config/gcloud/application_default_credentials.json")
KINDS = {
    "s3": Kind(
        S3Store,
        [
            [
                "AWS_ACCESS_KEY_ID",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_METADATA_ENDPOINT",
            ]
        ],
        {"conditional_put": "etag"},
    ),
    "gs": Kind(
        GCSStore,
        [
            [
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_SERVICE_ACCOUNT",
                "GOOGLE_SERVICE_ACCOUNT_KEY",
                "GOOGLE_BEARER_TOKEN",
            ]
        ],
        {},
    ),
    "az": Kind(
        AzureStore,
        [
            ["AZURE_STORAGE_ACCOUNT_NAME"],
            [
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_TOKEN",
                "AZURE_CLIENT_ID",
                "AZURE_USE_AZURE_CLI",
            ],
        ],
        {},
    ),
}


def parts_of(url: str) -> tuple[str, str, str | None]:
    """Bucket, place in it, and endpoint, if the URL gives one. Raises ServiceError."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    endpoint = query.pop("endpoint", [""])[0].rstrip("/") or None
    if not parts.netloc or query:
        raise ServiceError(
            f"a URL of this kind is {parts.scheme}://bucket/place, and may end on "
            "?endpoint=https://host",
            "caller",
        )
    if "@" in parts.netloc or "@" in (endpoint or ""):
        raise ServiceError("no credentials in a URL: set the variables instead", "caller")
    return parts.netloc, unquote(parts.path).strip("/"), endpoint


def endpoint_of(scheme: str, endpoint: str | None) -> dict[str, Any]:
    """How a store of this kind is told its endpoint."""
    if endpoint is None:
        return {}
    if scheme == "gs":
        return {"base_url": endpoint}
    return {"endpoint": endpoint} | (
        {"virtual_hosted_style_request": False} if scheme == "s3" else {}
    )


class Objects(Numbered):
    """Objects that are created under their numbers. The bucket is its owner's to make."""

    fresh = True

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.bucket, place, endpoint = parts_of(url)
        scheme = url.partition(":")[0]
        self.kind = KINDS[scheme]
        unset = self.kind.unset()
        if unset and not (scheme == "gs" and GOOGLE_LOGIN.expanduser().exists()):
            raise ServiceError(f"no credentials for {scheme}: set {unset}", "credentials")
        span = timedelta(seconds=timeout)
        self.store = self.kind.store(
            self.bucket,
            prefix=place or None,
            # A blind retry of a create that was made would be told that the name is taken.
            retry_config={"max_retries": 0, "retry_timeout": span},
            client_options={
                "timeout": span,
                "connect_timeout": span,
                "allow_http": (endpoint or "").startswith("http://"),
            },
            **endpoint_of(scheme, endpoint),
            **self.kind.fixed,
        )

    async def create(self) -> None:
        """There are no folders to make. See that the bucket is there, and that we may look into it."""
        await self.hint()

    async def check(self) -> None:
        """Write twice, then race for some names: both must have one winner, and its content.

        It finds who ignores the condition, and most who look before they write. No test finds all.
        """
        mark = f"check-{secrets.token_hex(8)}"
        names = [f"{mark}-{number}" for number in range(RACES + 1)]
        try:
            first, second = [await self.put(names[0], entry) for entry in (b"first", b"second")]
            if not first or second or await self.get(names[0]) != b"first":
                raise self.ignored("a second writer of a name was told that it had created it")
            await asyncio.gather(*(self.race(name) for name in names[1:]))
        finally:
            with contextlib.suppress(BaseError, OSError):
                await obstore.delete_async(self.store, names)

    async def race(self, name: str) -> None:
        """Create a name several times at once. Raises ServiceError if it is seen to go wrong."""
        entries = [f"{name} by {number}".encode() for number in range(RACERS)]
        puts = (self.put(name, entry) for entry in entries)
        said = await asyncio.gather(*puts, return_exceptions=True)
        won = [entry for entry, answer in zip(entries, said, strict=True) if answer is True]
        if len(won) > 1:
            raise self.ignored(f"{len(won)} of {RACERS} writers of a name were told that they won")
        if won and await self.get(name) != won[0]:
            raise self.ignored("a name does not hold what its only creator wrote")

    def ignored(self, what: str) -> ServiceError:
        return ServiceError(
            f"{self.url} does not keep its word: {what}. Entries would be lost there. Use another "
            "service, or a newer version of this one",
            "service",
        )

    async def put(self, name: str, entry: bytes) -> bool:
        try:
            # One request: a large object in parts would be put together by a request of its own.
            await obstore.put_async(self.store, name, entry, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except (BaseError, OSError) as error:
            raise self.failed(error, writing=True) from None  # it may quote a signed URL
        return True

    async def get(self, name: str) -> bytes | None:
        try:
            found = await obstore.get_async(self.store, name)
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            if NO_PLACE & set(CODE.findall(str(error))):
                raise self.failed(error) from None
            return None
        except (BaseError, OSError) as error:
            raise self.failed(error) from None

    async def hint(self) -> int:
        count = 0
        try:
            self.requests, self.trips = self.requests + 1, self.trips + 1
            async for page in obstore.list(self.store, chunk_size=1000):
                count += sum(1 for one in page if NUMBER.fullmatch(one["path"].rpartition("/")[2]))
        except (BaseError, OSError) as error:
            raise self.failed(error) from None
        return count

    def failed(self, error: Exception, writing: bool = False) -> ServiceError:
        """Whose fault it is. Of what the client library says only the status and the code are told."""
        text = str(error)
        status, code = STATUS.search(text), CODE.search(text)
        number = int(status[1]) if status else 0
        what = f"{self.url}: " + " ".join(one[1] for one in (status, code) if one)
        if number in (401, 403):
            names = ", ".join(names[0] for names in self.kind.variables)
            cure = f"see that {names} and what belongs to it may read, write and list"
            return ServiceError(f"{what}: {cure}", "credentials")
        if number == 404:
            return ServiceError(f"{what}: there is no {self.bucket}: make it first", "caller")
        if number == 429:  # the client library drops Retry-After
            return ServiceError(f"{what}: asks us to slow down", "service", retry=True)
        if number:
            passes = number >= 500 or number == 408 or bool(code and code[1] == "RequestTimeout")
            return ServiceError(what, "service", retry=passes, unsure=passes and writing)
        sent = NOT_SENT not in text
        what = f"{what}no answer" if sent else f"{what}no connection"
        return ServiceError(what, "network", retry=True, unsure=sent and writing)
