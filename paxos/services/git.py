"""A list in a git repository to which we may push: `git+https://host/repository.git`, `git+file:///path`.

One reference for each position, that points to a blob with the entry. It is pushed with an empty lease: the
server takes it only if the reference is not there (git-push, under --force-with-lease). One fetch brings
all that is new. Slow, and everywhere.

The program `git` finds the credentials, as it does for its user; it is never let ask for any.
"""

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import parse_qs

from .contract import Numbered, ServiceError

REFS, NUMBER = "refs/paxos", re.compile(r"[0-9]{20}")
GONE = ("not found", "does not exist", "does not appear to be", "not a git repository")
DENIED = ("Authentication failed", "could not read Username", "Permission denied", "error: 403")


class Git(Numbered):
    """References that are pushed to their numbers."""

    fresh = True

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.remote, _, query = url.partition("+")[2].partition("?")
        place = parse_qs(query).get("place", [""])[0]  # several lists in one repository
        if not re.fullmatch(r"[0-9A-Za-z-]*", place):
            raise ServiceError("?place= of a git list is letters and digits", "caller")
        self.refs = f"{REFS}-{place}" if place else REFS
        if "@" in self.remote.partition("://")[2].partition("/")[0]:
            raise ServiceError("no credentials in a URL: git finds its own", "caller")
        self.folder = Path(tempfile.mkdtemp(prefix="paxos-git-"))
        self.lock = asyncio.Lock()  # one git at a time in our copy
        self.begun = False

    async def create(self) -> None:
        """A repository on this machine can be made; elsewhere it is its owner's to make."""
        if self.remote.startswith("file://"):
            path = self.remote.removeprefix("file://")
            if not Path(path).exists():
                await self.git("init", "--quiet", "--bare", path)

    async def beside(self, name: str) -> str:
        return f"{self.url.partition('?')[0]}?place={name}"

    async def put(self, name: str, entry: bytes) -> bool:
        async with self.lock:
            blob = (await self.git("hash-object", "-w", "--stdin", given=entry)).decode().strip()
            ref = f"{self.refs}/{name}"
            lease = f"--force-with-lease={ref}:"
            code, said, error = await self.run(
                "push", "--porcelain", "--no-verify", lease, self.remote, f"{blob}:{ref}"
            )
        line = next((one for one in said.decode().splitlines() if ref in one), "")
        if code == 0 and line.startswith("*"):
            return True
        if line.startswith("=") or "stale info" in line:
            return False
        if line.startswith("!"):  # of two who push at once one may be told anything
            raise ServiceError(f"{self.remote}: {line.strip()}", "service", True, unsure=True)
        raise self.failed(error, unsure=True)

    async def get(self, name: str) -> bytes | None:
        found = await self.sync()
        return await self.blob(found[name]) if name in found else None

    async def fetch(self, after: int = 0) -> list[bytes]:
        """One request brings all; and if a reference has changed, or gone, we shall see it."""
        self.requests, self.trips = self.requests + 1, self.trips + 1
        found, entries = await self.sync(), list[bytes]()
        while (blob := found.get(self.name(after + len(entries)))) is not None:
            entries.append(await self.blob(blob))
        self.known = max(self.known, after + len(entries) if entries else 0)
        return entries

    async def hint(self) -> int:
        self.requests, self.trips = self.requests + 1, self.trips + 1
        return sum(1 for name in await self.sync() if NUMBER.fullmatch(name))

    async def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    async def sync(self) -> dict[str, str]:
        """Make our copy like the server's: the blob of each name."""
        async with self.lock:
            code, _, error = await self.run(
                *("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--refmap="),
                *(self.remote, f"+{self.refs}/*:{self.refs}/*"),
            )
            if code:
                raise self.failed(error)
            shown = await self.git(
                "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", self.refs
            )
        return dict(line.split(" ", 1) for line in shown.decode().splitlines())

    async def blob(self, name: str) -> bytes:
        return await self.git("cat-file", "blob", name)

    async def git(self, *arguments: str, given: bytes = b"") -> bytes:
        """Something that git does on this machine alone."""
        code, said, error = await self.run(*arguments, given=given)
        if code:
            raise self.failed(error)
        return said

    async def run(self, *arguments: str, given: bytes = b"") -> tuple[int, bytes, str]:
        """Run git in our copy, with the patience of this list."""
        if not self.begun and arguments[0] != "init":
            await self.run("init", "--quiet", "--bare", ".")
            self.begun = True  # not before: whoever is cancelled in it must begin again
        settings = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_DIR": str(self.folder)}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *("git", *arguments),
            cwd=self.folder,
            env={**os.environ, **settings},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        try:
            said, error = await asyncio.wait_for(process.communicate(given), self.timeout)
        except TimeoutError:
            raise ServiceError(
                f"{self.remote}: no answer in {self.timeout:g} s", "network", True, unsure=True
            ) from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return process.returncode or 0, said, error.decode(errors="replace")

    def failed(self, error: str, unsure: bool = False) -> ServiceError:
        """Whose fault it is, by what git says."""
        what = f"{self.remote}: {' '.join(error.split())[:200]}"
        if any(word in error for word in DENIED):
            return ServiceError(f"{what}: see that git may push there", "credentials")
        if any(word in error for word in GONE):
            return ServiceError(what, "service")
        return ServiceError(what, "network", retry=True, unsure=unsure)
