"""A list in a folder of Baidu Pan: `baidu:///apps/NAME/folder`, one file for each entry.

Three calls: announce (precreate), upload a part, create. Only the last one commits, and with `rtype=0` it
fails where the name is taken, with error -8 (BaiduPCS-Go, and clients like it; the page of the vendor could
not be read). Its answers are 200 with an `errno` in them, so the status says little.

Not known: whether `create` is atomic. Users report "file already exists" with no such file, and empty files
left behind: so a refusal is read back, and an empty file is reported and never taken for an entry. Of all
services here it is the one to trust least. Shown on a fake of what clients say, which is no evidence.
"""

import asyncio
import hashlib
import json
import logging
import os
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from .contract import Numbered, ServiceError

PAN, PCS, LOGIN = "https://pan.baidu.com", "https://d.pcs.baidu.com", "https://openapi.baidu.com"
CREDENTIALS = "BAIDU_TOKEN, or BAIDU_REFRESH_TOKEN, BAIDU_APP_KEY and BAIDU_APP_SECRET"
TAKEN, MISSING = (-8, 31061), (-9, 31066)
EXPIRED, BUSY = (-6, 110, 111, 31045), (31034, 31326, -65)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells URLs, and the token is in them
AGENT = {"User-Agent": "pan.baidu.com"}  # asked for by the servers of content


class Baidu(Numbered):
    """Files that are created under their numbers."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        parts = urlsplit(url)
        self.folder = "/" + unquote(parts.path).strip("/")
        if parts.netloc or not self.folder.startswith("/apps/"):
            raise ServiceError("a URL of this kind is baidu:///apps/NAME/folder", "caller")
        where = parse_qs(parts.query).get("endpoint")
        self.pan, self.pcs, self.login = where * 3 if where else (PAN, PCS, LOGIN)
        self.token = os.environ.get("BAIDU_TOKEN")
        names = ("REFRESH_TOKEN", "APP_KEY", "APP_SECRET")
        self.secrets = [os.environ.get(f"BAIDU_{one}") for one in names]
        if not (self.token or all(self.secrets)):
            raise ServiceError(f"no credentials for Baidu: set {CREDENTIALS}", "credentials")
        self.client = httpx.AsyncClient(timeout=timeout, follow_redirects=True, headers=AGENT)
        self.files: dict[str, int] = {}  # name -> its number at the service
        self.renewing = asyncio.Lock()

    async def put(self, name: str, entry: bytes) -> bool:
        path, digest = (
            f"{self.folder}/{name}",
            hashlib.md5(entry, usedforsecurity=False).hexdigest(),
        )
        parts = json.dumps([digest])
        form = {"path": path, "size": len(entry), "isdir": 0, "rtype": 0, "block_list": parts}
        self.requests, self.trips = (
            self.requests + 2,
            self.trips + 2,
        )  # the third is counted already
        begun = await self.ask("precreate", data={**form, "autoinit": 1})
        if begun.get("errno") in TAKEN:
            return False
        self.right(begun)
        if begun.get("return_type") == 2:  # it had these bytes already, and has created the file
            self.files[name] = int(begun.get("info", {}).get("fs_id") or 0)
            if not self.files[name]:
                raise ServiceError("Baidu: created at once, perhaps", "service", True, unsure=True)
            return True
        where = {"method": "upload", "type": "tmpfile", "path": path, "partseq": "0"}
        place = {**where, "uploadid": str(begun["uploadid"])}
        sent = await self.request(
            "POST", f"{self.pcs}/rest/2.0/pcs/superfile2", params=place, files={"file": entry}
        )
        self.right(sent)
        made = await self.ask("create", data={**form, "uploadid": begun["uploadid"]}, unsure=True)
        if made.get("errno") in TAKEN:
            return False
        self.right(made, unsure=True)
        if str(made.get("path", path)) != path:
            raise ServiceError(f"Baidu made {made['path']} instead of {path}", "service")
        self.files[name] = int(made["fs_id"])
        return True

    async def get(self, name: str) -> bytes | None:
        if name not in self.files and not await self.look(name):
            return None
        its = json.dumps([self.files[name]])
        self.requests, self.trips = self.requests + 1, self.trips + 1
        about = await self.ask("filemetas", area="multimedia", fsids=its, dlink="1")
        if about.get("errno") in MISSING:
            return None
        self.right(about)
        shown = next(iter(about.get("list", ())), None)
        if shown is None:
            return None
        answer = await self.send("GET", shown["dlink"], {"access_token": await self.valid()})
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise ServiceError(f"Baidu: {answer.status_code}", "service", answer.status_code >= 500)
        if not answer.content:
            what = (
                f"Baidu: {self.folder}/{name} is empty: no entry of ours, and nothing to be mended"
            )
            raise ServiceError(what, "service")
        if len(answer.content) != int(shown["size"]):  # an error may come with 200
            raise ServiceError("Baidu: not what was asked for", "service", retry=True)
        return answer.content

    async def look(self, name: str) -> bool:
        """Is a name there? In a folder of numbers it is the one at that place."""
        start = int(name) if name.isdigit() else 0
        for first, many in ((start, 1), (0, 1000)):
            self.requests, self.trips = self.requests + 1, self.trips + 1
            found = await self.ask("list", dir=self.folder, order="name", start=first, limit=many)
            if found.get("errno") in MISSING:
                return False
            self.right(found)
            for one in found.get("list", ()):
                self.files[one["server_filename"]] = int(one["fs_id"])
            if name in self.files:
                return True
            if not found.get("list"):
                return False  # nothing stands at that place
        return False

    async def hint(self) -> int:
        count = 0
        while True:
            self.requests, self.trips = self.requests + 1, self.trips + 1
            found = await self.ask("list", dir=self.folder, order="name", start=count, limit=1000)
            if found.get("errno") in MISSING:
                return count
            self.right(found)
            page = found.get("list", ())
            self.files.update({one["server_filename"]: int(one["fs_id"]) for one in page})
            count += len(page)
            if len(page) < 1000:
                return count

    async def close(self) -> None:
        await self.client.aclose()

    async def ask(
        self, method: str, data: Any = None, unsure: bool = False, **query: Any
    ) -> dict[str, Any]:
        verb, api = ("POST", "file") if data is not None else ("GET", "file")
        api = "multimedia" if query.pop("area", "") else api
        where = f"{self.pan}/rest/2.0/xpan/{api}"
        query = {"method": method, **query}
        return await self.request(verb, where, params=query, data=data, unsure=unsure)

    async def request(
        self, verb: str, where: str, params: Any, unsure: bool = False, **more: Any
    ) -> dict[str, Any]:
        """One call, with a new token if the old one has expired. Raises ServiceError."""
        for again in (True, False):
            token = await self.valid()
            answer = await self.send(verb, where, {**params, "access_token": token}, unsure, **more)
            try:
                said = answer.json()
            except ValueError:
                said = None
            if not isinstance(said, dict) or answer.status_code >= 500:
                what = f"Baidu: {answer.status_code}"
                raise ServiceError(what, "service", retry=True, unsure=unsure)
            number = said.get("errno", said.get("error_code", said.get("error", 0)))
            said["errno"] = number
            if number not in EXPIRED or not again or not all(self.secrets):
                return said
            await self.renew(token)
        raise AssertionError("the second answer is returned")

    async def send(
        self, verb: str, where: str, params: Any, unsure: bool = False, **more: Any
    ) -> httpx.Response:
        try:
            return await self.client.request(verb, where, params=params, **more)
        except httpx.HTTPError as error:
            sent = not isinstance(error, httpx.ConnectError)
            what = f"Baidu: no answer ({type(error).__name__})"
            raise ServiceError(what, "network", retry=True, unsure=unsure and sent) from None

    def right(self, said: dict[str, Any], unsure: bool = False) -> None:
        """Raises ServiceError for an answer that is an error."""
        number = said["errno"]
        if number in EXPIRED:
            raise ServiceError(f"Baidu denies access: see {CREDENTIALS}", "credentials")
        if number in BUSY:
            raise ServiceError("Baidu asks us to slow down", "service", retry=True)
        if number:
            raise ServiceError(f"Baidu: error {number}", "service", retry=unsure, unsure=unsure)

    async def valid(self) -> str:
        return self.token or await self.renew(None)

    async def renew(self, old: str | None) -> str:
        """A new token, for all who found the old one expired."""
        async with self.renewing:
            if self.token in (None, old):
                refresh, key, secret = self.secrets
                form = {"grant_type": "refresh_token", "refresh_token": refresh}
                query = {**form, "client_id": key, "client_secret": secret}
                answer = await self.send("GET", f"{self.login}/oauth/2.0/token", query)
                if answer.status_code != 200:
                    raise ServiceError(f"Baidu denies access: see {CREDENTIALS}", "credentials")
                its = answer.json()
                self.token = str(its["access_token"])
                self.secrets[0] = its.get("refresh_token", refresh)
            assert self.token
            return self.token
