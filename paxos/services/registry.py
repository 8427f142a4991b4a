"""Which storage services there are, by the scheme of their URL."""

import importlib
import shutil
from dataclasses import dataclass
from typing import Literal

from .contract import AppendOnlyList, ServiceError

State = Literal["real server", "fake of documented meaning", "documents only"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of storage service."""

    scheme: str
    example: str
    primitive: str  # what the list is made of
    where: str  # module:class
    needs: str  # module that must be there; "!git" is a program
    extra: str  # of pip, or ""
    shown: State  # by which test
    credentials: str = ""  # environment variables, or a file


OFFERS = {
    one.scheme: one
    for one in (
        Offer(
            "memory",
            "memory:NAME",
            "a list in this process",
            "memory:Memory",
            "",
            "",
            "real server",
        ),
        Offer(
            "file",
            "file:///path",
            "link a file to its number",
            "folders:Folder",
            "",
            "",
            "real server",
        ),
        Offer(
            "sqlite",
            "sqlite:///path.db",
            "insert a row in a transaction",
            "sqlite:SQLite",
            "",
            "",
            "real server",
        ),
        Offer(
            "s3",
            "s3://bucket/place",
            "put an object with If-None-Match: *",
            "objects:Objects",
            "obstore",
            "s3",
            "real server",
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION",
        ),
        Offer(
            "gs",
            "gs://bucket/place",
            "put an object with x-goog-if-generation-match: 0",
            "objects:Objects",
            "obstore",
            "gs",
            "fake of documented meaning",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        Offer(
            "az",
            "az://container/place",
            "put a blob with If-None-Match: *",
            "objects:Objects",
            "obstore",
            "az",
            "real server",
            "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY",
        ),
        Offer(
            "az-append",
            "az-append://container/name",
            "append a block where a blob ends",
            "append_blob:AppendBlob",
            "azure.storage.blob",
            "az",
            "real server",
            "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY",
        ),
        Offer(
            "webdav+https",
            "webdav+https://host/path",
            "move a folder that is not empty to its number",
            "webdav:WebDAV",
            "httpx",
            "webdav",
            "real server",
            "WEBDAV_USER, WEBDAV_PASSWORD",
        ),
        Offer(
            "webdav+http",
            "webdav+http://host/path",
            "the same, without encryption",
            "webdav:WebDAV",
            "httpx",
            "webdav",
            "real server",
            "WEBDAV_USER, WEBDAV_PASSWORD",
        ),
        Offer(
            "git+https",
            "git+https://host/repository.git",
            "push a reference that must be new",
            "git:Git",
            "!git",
            "",
            "real server",
            "as git finds them",
        ),
        Offer(
            "git+http",
            "git+http://host/repository.git",
            "the same, without encryption",
            "git:Git",
            "!git",
            "",
            "real server",
            "as git finds them",
        ),
        Offer(
            "git+file",
            "git+file:///path/repository.git",
            "the same, on this machine",
            "git:Git",
            "!git",
            "",
            "real server",
            "",
        ),
        Offer(
            "dropbox",
            "dropbox:///folder",
            "upload to a name, no conflict if the bytes are the same",
            "dropbox:Dropbox",
            "dropbox",
            "dropbox",
            "fake of documented meaning",
            "DROPBOX_TOKEN, or DROPBOX_REFRESH_TOKEN and DROPBOX_APP_KEY",
        ),
        Offer(
            "box",
            "box:///folder-id",
            "upload to a name that must be free",
            "box:Box",
            "box_sdk_gen",
            "box",
            "fake of documented meaning",
            "BOX_TOKEN",
        ),
        Offer(
            "gdrive",
            "gdrive:///first-id",
            "create a file with an id drawn before",
            "gdrive:Drive",
            "googleapiclient",
            "gdrive",
            "fake of documented meaning",
            "GDRIVE_TOKEN, or GOOGLE_APPLICATION_CREDENTIALS",
        ),
        Offer(
            "onedrive",
            "onedrive:///folder",
            "put a file, fail if the name is taken",
            "onedrive:OneDrive",
            "httpx",
            "onedrive",
            "fake of documented meaning",
            "ONEDRIVE_TOKEN, or ONEDRIVE_REFRESH_TOKEN and ONEDRIVE_CLIENT_ID",
        ),
        Offer(
            "baidu",
            "baidu:///apps/NAME/folder",
            "create a file, never under another name",
            "baidu:Baidu",
            "httpx",
            "baidu",
            "fake of documented meaning",
            "BAIDU_TOKEN, or BAIDU_REFRESH_TOKEN, BAIDU_APP_KEY and BAIDU_APP_SECRET",
        ),
    )
}


def open_list(url: str, timeout: float = 30.0) -> AppendOnlyList:
    """The list at a URL, not yet asked anything. Raises ServiceError for a URL that cannot be."""
    scheme = url.partition(":")[0]
    offer = OFFERS.get(scheme)
    if offer is None or ":" not in url:
        known = ", ".join(OFFERS)
        raise ServiceError(
            f"no service is called {url!r}: a URL begins with one of {known}", "caller"
        )
    if why := missing(offer):
        raise ServiceError(f"{scheme}: needs {why}", "caller")
    module, _, name = offer.where.partition(":")
    kind = getattr(importlib.import_module(f".{module}", __package__), name)
    opened: AppendOnlyList = kind(url, timeout)
    return opened


def table() -> str:
    """All of them, as a table in Markdown."""
    rows = ["| URL | made of | how it was shown | needs |", "|---|---|---|---|"]
    for one in OFFERS.values():
        program = one.needs.removeprefix("!") if one.needs.startswith("!") else ""
        needs = f"`[{one.extra}]`" if one.extra else program and f"the program `{program}`"
        rows.append(f"| `{one.example}` | {one.primitive} | {one.shown} | {needs} |")
    return "\n".join(rows)


def missing(offer: Offer) -> str:
    """What must be installed before this kind of service can be used; "" if it is there."""
    if offer.needs.startswith("!"):
        program = offer.needs[1:]
        return "" if shutil.which(program) else f"the program {program}: install it"
    try:
        if offer.needs:
            importlib.import_module(offer.needs)
    except ImportError:
        return f"a package: pip install 'passive-paxos[{offer.extra}]'"
    return ""
