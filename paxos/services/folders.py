"""A list in a folder of a local disk: `file:///absolute/path`, one file for each entry.

An entry is written to a file of its own, made safe, and then linked to its number. `link` fails where
the name exists, and who reads the name sees all of the entry. (Created by O_EXCL a name would be seen
while it is still empty.) Over NFS an answer may be lost: then the link count of our own file tells
whether the link was made (open(2), under O_EXCL).
"""

import contextlib
import os
import re
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .contract import Aside, Numbered, ServiceError

NUMBER = re.compile(r"[0-9]{20}")
DRAFT = ".draft-"
# What sync clients leave at the top of what they mirror, as read in their code.
MARKS = {
    ".dropbox": "Dropbox",
    ".dropbox.cache": "Dropbox",
    ".tmp.drivedownload": "Google Drive",
    ".owncloudsync.log": "ownCloud",
    ".nextcloudsync.log": "Nextcloud",
    ".csync_journal.db": "ownCloud",
    ".stfolder": "Syncthing",
    ".stignore": "Syncthing",
}
SYNC_DATABASE = re.compile(r"\._?sync_[0-9a-f]+\.db")  # Nextcloud, ownCloud
ROOTS = {
    "OneDrive": "OneDrive",
    "OneDriveConsumer": "OneDrive",
    "OneDriveCommercial": "OneDrive",
}
MAC = re.compile(r"(Dropbox|OneDrive|GoogleDrive|Box)\b.*")  # under ~/Library/CloudStorage


def path_of(url: str) -> Path:
    """The path that a URL names. Raises ServiceError where it names none, or one of another machine."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        cure = f"{parts.scheme}:///{parts.netloc}{parts.path}"
        raise ServiceError(f"{url} names another machine: three slashes, as in {cure}", "caller")
    if not parts.path.strip("/"):
        raise ServiceError(f"{url} names no place: {parts.scheme}:///absolute/path", "caller")
    return Path(unquote(parts.path))


def mirror(path: Path) -> str | None:
    """Whose sync client mirrors this folder, as far as can be seen from here."""
    for folder in (path.absolute(), *path.absolute().parents):
        for variable, who in ROOTS.items():
            if os.environ.get(variable) and folder == Path(os.environ[variable]):
                return who
        if folder.parent.name == "CloudStorage" and (found := MAC.fullmatch(folder.name)):
            return found[1]
        for mark, who in MARKS.items():
            if (folder / mark).exists():
                return who
        with contextlib.suppress(OSError):
            if any(SYNC_DATABASE.fullmatch(one.name) for one in folder.glob(".*sync_*.db")):
                return "Nextcloud or ownCloud"
            if "user.drive.id" in getattr(os, "listxattr", lambda _: ())(folder):  # Linux only
                return "Google Drive"
    return None


def not_mirrored(path: Path) -> None:
    """Raises ServiceError for a folder that a sync client mirrors.

    Each device has a copy of such a folder, and creates the same name in it with success.
    """
    if who := mirror(path):
        raise ServiceError(
            f"{path} is in a folder that {who} copies to other devices: what is created here is not "
            f"created there. Name a folder outside of it, or use the service itself (`paxos service list`)",
            "caller",
        )


class Folder(Numbered):
    """Files that are linked to their numbers."""

    fresh = True

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.path = path_of(url)
        self.aside = Aside()

    async def create(self) -> None:
        try:  # not its parents: a folder in which nothing is mounted would do for them
            await self.aside(lambda: self.path.mkdir(exist_ok=True))
        except OSError as error:
            raise self.failed(error, retry=False) from error

    async def beside(self, name: str) -> str:
        return await super().beside(f"{DRAFT}{name}")  # so that nobody takes it for a stranger's

    async def check(self) -> None:
        await self.aside(not_mirrored, self.path)
        with contextlib.suppress(FileNotFoundError):
            for name in await self.aside(os.listdir, self.path):
                if not (NUMBER.fullmatch(name) or name.startswith(DRAFT)):
                    raise ServiceError(
                        f"{self.path / name} is nothing of ours: a sync client may have made it, of two "
                        "files of one name. Look at it, and name an empty folder for a new list",
                        "caller",
                    )

    async def put(self, name: str, entry: bytes) -> bool:
        try:
            return await self.aside(self._put, name, entry)
        except FileNotFoundError as error:
            raise self.failed(error, retry=False) from error
        except OSError as error:
            raise self.failed(error, retry=False, unsure=True) from error

    async def get(self, name: str) -> bytes | None:
        try:
            return await self.aside(self._get, name)
        except OSError as error:
            raise self.failed(error, retry=False) from error

    async def hint(self) -> int:
        try:
            names = await self.aside(os.listdir, self.path)
        except OSError as error:
            raise self.failed(error, retry=False) from error
        return sum(1 for name in names if NUMBER.fullmatch(name))

    async def close(self) -> None:
        self.aside.close()

    def failed(self, error: OSError, **how: bool) -> ServiceError:
        return ServiceError(f"{self.path}: {error.strerror or error}", "service", **how)

    def _put(self, name: str, entry: bytes) -> bool:
        number = int(name) if NUMBER.fullmatch(name) else 0
        if number and not (self.path / self.name(number - 1)).exists():
            # Emptied behind our back, and nobody could ever read past the hole.
            raise ServiceError(f"{self.path}: entry {number - 1} has vanished", "service")
        draft, target = self.path / f"{DRAFT}{secrets.token_hex(16)}", self.path / name
        with draft.open("xb") as file:
            file.write(entry)
            file.flush()
            os.fsync(file.fileno())
        try:
            target.hardlink_to(draft)
        except FileExistsError:
            return False
        except OSError:  # the answer may be lost, not the link
            if draft.stat().st_nlink != 2:
                raise
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def _get(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            if not self.path.is_dir():  # the place itself is gone: that is no empty list
                raise
            return None
