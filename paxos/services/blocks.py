"""A folder as a disk of blocks: one file for each owner, replaced whole, under a checksum.

What is asked of the file system, and where it ends:

* `os.replace` is atomic: a reader opens the old block or the new one, never half of each. POSIX asks
  it of local file systems; an NFS server does it too.
* `fsync`, of the file before and of the folder after, makes a block outlast a power cut, as far as
  the drive tells the truth about its cache (on macOS it is not even asked).
* `flock` gives each name to one process. It works between processes of one machine. Linux passes it
  on to an NFS server, unless mounted with `nolock` or `local_lock`; but a server may give up the lock
  of a machine that sleeps. Where devices have no name in common, nothing depends on that.
* An NFS client may show a folder as it was up to a minute ago (nfs(5), `acdirmax`), unless mounted
  with `noac`. A read from a cache may miss a rival's block: then agreement is lost.
* A folder that a sync client mirrors (Dropbox, OneDrive, Syncthing) is no disk: each device has a
  copy of its own, where writes succeed that nobody else can read. So is a copy of a disk, and a disk
  restored from a backup; what this process has seen on a disk before, it will not see undone.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..codec import decode, encode
from ..protocol.acceptor import Acceptor
from ..protocol.blocks import Block, join
from ..protocol.messages import Accept, Blocks, Chosen, Command, Write, Written
from ..protocol.quorum import Flexible, majority
from ..protocol.votes import Votes

LABEL, BLOCK, LOCK, DRAFT = "paxos-disk", ".block", ".lock", ".tmp"
HEADER, VERSION = b"paxos-blocks/1", re.compile(rb"paxos-blocks/([0-9]+) ")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # small letters: some file systems see no others


class Damaged(Exception):
    """This disk cannot be believed now. To the protocol: no answer."""


class Changed(Damaged):
    """This disk has lost what it had before. It is never believed again."""


class Taken(ValueError):
    """Another process has this name."""


@dataclass(frozen=True, slots=True)
class Label:
    """What makes a folder a disk: which one of which shelf, and the rules of that shelf.

    A mount point without its mount has no label. It would pass for a disk that forgot all.
    """

    shelf: str
    disk: int
    quorums: Flexible  # of all alike: two who count differently can miss each other
    many: bool  # a log, or one decision


@dataclass(frozen=True, slots=True)
class Stored:
    """A block as it lies in a file. It says where it belongs: a file may be copied or renamed."""

    shelf: str
    disk: int
    owner: str
    block: Block


KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (Label, Stored, Block, Acceptor, Votes, Accept, Chosen, Command, Flexible)
}


def pack(thing: Any) -> bytes:
    """A header, a checksum, and JSON."""
    text = json.dumps(encode(thing), ensure_ascii=False, separators=(",", ":")).encode()
    return b" ".join((HEADER, hashlib.sha256(text).hexdigest().encode(), text)) + b"\n"


def unpack(raw: bytes, kind: type, where: str) -> Any:
    """The inverse of `pack`. Nothing is evaluated. Raises Damaged for anything else."""
    header, _, rest = raw.partition(b" ")
    if (version := VERSION.match(raw)) and int(version[1]) > 1:
        raise ValueError(f"{where} was written by a newer version of paxos: install that one")
    digest, _, text = rest.partition(b" ")
    text = text.removesuffix(b"\n")
    if header != HEADER or hashlib.sha256(text).hexdigest().encode() != digest:
        raise Damaged(f"{where} is torn, or not a file of paxos")
    try:
        thing = decode(json.loads(text), KINDS)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where} cannot be read: {error}") from None
    if not isinstance(thing, kind):
        raise Damaged(f"{where} is a {type(thing).__name__}, not a {kind.__name__}")
    return thing


def create(
    paths: Sequence[str | os.PathLike[str]],
    phase1: int | None = None,
    phase2: int | None = None,
    many: bool = False,
) -> str:
    """Make empty folders the disks of a new shelf, and return its id. All of them, or none."""
    needs_posix()
    whole = majority(len(paths))
    quorums = Flexible(
        len(paths),
        whole.phase1 if phase1 is None else phase1,
        whole.phase2 if phase2 is None else phase2,
    )
    folders, shelf = [Path(path) for path in paths], secrets.token_hex(16)
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder: make it, or mount it, first")
        if used := [one.name for one in folder.iterdir() if one.suffix == BLOCK]:
            raise ValueError(f"{folder} has blocks on it already, such as {used[0]}")
    made = list[Path]()
    try:
        for number, folder in enumerate(folders, 1):
            with (folder / LABEL).open("xb") as file:
                made.append(folder / LABEL)
                file.write(pack(Label(shelf, number, quorums, many)))
                file.flush()
                os.fsync(file.fileno())
            sync(folder)
    except BaseException as error:
        for label in made:
            label.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise ValueError(f"{folder} is a disk already; it is used only once") from None
        raise
    return shelf


def needs_posix() -> None:
    """Raises ValueError elsewhere: no other system promises what is said at the top."""
    if os.name != "posix":
        raise ValueError("folders as disks need Linux, macOS or another POSIX system")


def sync(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def look(path: str | os.PathLike[str]) -> tuple[Label, tuple[tuple[str, Block], ...]]:
    """The label and the blocks of a disk, without a name and without a promise that they last."""
    folder = Folder(path, "nobody")
    try:
        label = folder.find()
        return label, folder.read().blocks
    finally:
        folder.close()


class Folder:
    """One disk, as one owner sees it."""

    def __init__(self, path: str | os.PathLike[str], owner: str) -> None:
        needs_posix()
        if not NAME.fullmatch(owner):
            raise ValueError(
                f"{owner!r} is no name: use up to 64 small letters, digits, hyphens, underscores"
            )
        self.path, self.owner = Path(path), owner
        self.label: Label | None = None
        self.shelf: str | None = None  # the one it must belong to, once that is known
        self.known: dict[str, tuple[bytes, Block]] = {}  # as last read: what is there stays
        self.folder = self.lock = -1
        self.lost: Changed | None = None

    def answer(self, request: Any) -> Written | Blocks:
        """What the protocol's disk answers to a Write or a Read.

        Raises OSError or Damaged where the disk fails: no answer. Raises Taken or ValueError where
        nothing here can help.
        """
        if self.lost:  # also if all of it is there again
            raise self.lost
        try:
            label = self.open()
            if self.shelf not in (None, label.shelf):
                raise ValueError(f"{self.path} belongs to another shelf than the other disks")
            return self.write(request.block) if isinstance(request, Write) else self.read()
        except BaseException as error:
            self.lost = error if isinstance(error, Changed) else None
            self.close()  # next time from the beginning: it may be another mount by then
            raise

    def open(self) -> Label:
        """Hold the folder, and our name in it.

        The folder is held open, so that all that follows happens in that one and not in what is
        mounted in its place.
        """
        if self.lock >= 0:
            its, ours = os.stat(self.owner + LOCK, dir_fd=self.folder), os.fstat(self.lock)
            if (its.st_dev, its.st_ino) == (ours.st_dev, ours.st_ino):
                assert self.label
                return self.label
            self.close()  # somebody has deleted the lock: then it locks nobody out
        label = self.find()
        self.take()
        self.read()
        return label

    def find(self) -> Label:
        """Hold the folder, and read its label."""
        self.folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            label: Label = unpack(self.load(LABEL), Label, f"the label {self.path / LABEL}")
        except FileNotFoundError:
            raise Damaged(f"no disk of paxos is there: {self.path} has no label") from None
        replace(label.quorums)  # it checks itself
        if self.label and label != self.label:
            raise Changed(f"another disk is there now: {self.path} has another label")
        self.label = label
        return label

    def take(self) -> None:
        """Two processes of one name would each overwrite the votes of the other."""
        import fcntl  # here, so that a system without it can still do everything else

        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self.lock = os.open(self.owner + LOCK, flags, 0o666, dir_fd=self.folder)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(self.lock, 100).decode(errors="replace") or "another process"
            raise Taken(
                f"{self.owner} is at work already: {who} holds {self.path / self.owner}{LOCK}. "
                "Give each process a name of its own, and name each disk once"
            ) from None
        with contextlib.suppress(OSError):  # only to be told to others, and it needs space
            os.ftruncate(self.lock, 0)
            os.write(self.lock, f"process {os.getpid()} on {socket.gethostname()}".encode())

    def close(self) -> None:
        """Let go of the folder and of our name."""
        for file in (self.lock, self.folder):
            if file >= 0:
                with contextlib.suppress(OSError):  # its disk may be gone
                    os.close(file)
        self.folder = self.lock = -1

    def write(self, block: Block) -> Written:
        """Replace our block. It is not written until a power cut cannot take it back."""
        assert self.label
        _, mine = self.known.get(self.owner, (b"", block))
        if join(mine, block) != block:  # from a former life: it must not be overwritten
            return Written(mine)
        raw = pack(Stored(self.label.shelf, self.label.disk, self.owner, block))
        draft, name = self.owner + DRAFT, self.owner + BLOCK
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = os.open(draft, flags, 0o666, dir_fd=self.folder)
        with os.fdopen(file, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(file)
        os.replace(draft, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        os.fsync(self.folder)
        self.known[self.owner] = raw, block
        return Written(block)

    def read(self) -> Blocks:
        """Everybody's block, in one pass."""
        found = {owner: its for owner in self.owners() if (its := self.load_block(owner))}
        if found != self.known:
            for owner, (_, before) in self.known.items():
                if owner not in found or join(before, found[owner][1]) != found[owner][1]:
                    raise Changed(f"the block of {owner} in {self.path} is older than it was")
            # Its owner may have been killed before it could see to this, and we build on it.
            os.fsync(self.folder)
            self.known = found
        return Blocks(tuple((owner, block) for owner, (_, block) in found.items()))

    def owners(self) -> list[str]:
        """Who has a block here, or soon will.

        POSIX does not say that a listing shows a file that is replaced meanwhile. A lock is never
        replaced, and is there before the first block is.
        """
        # Opened anew: only then does a network file system look whether its cache is still right.
        listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.folder)
        try:
            with os.scandir(listing) as entries:
                names = [Path(one.name) for one in entries]
        finally:
            os.close(listing)
        ours = {name.stem for name in names if name.suffix in (BLOCK, LOCK)}
        for name in ours:
            if not NAME.fullmatch(name) and name[0] != ".":  # such as "ann (1).block"
                raise Damaged(f"{name!r} in {self.path} is a copy: does a sync client mirror it?")
        return sorted(name for name in ours if name[0] != ".")

    def load_block(self, owner: str) -> tuple[bytes, Block] | None:
        """A block and its bytes, or None if there is none. Damaged if it is not what it says."""
        assert self.label
        try:
            raw = self.load(owner + BLOCK)
        except FileNotFoundError:
            return None
        if owner in self.known and self.known[owner][0] == raw:
            return self.known[owner]
        where = f"{self.path / owner}{BLOCK}"
        stored = unpack(raw, Stored, where)
        if (stored.shelf, stored.disk, stored.owner) != (self.label.shelf, self.label.disk, owner):
            raise Damaged(f"{where} belongs elsewhere: on disk {stored.disk} of {stored.owner}")
        if isinstance(stored.block.memory, Votes) != self.label.many:
            raise Damaged(f"{where} is a block of another protocol")
        return raw, stored.block

    def load(self, name: str) -> bytes:
        """The bytes of a file in the folder."""
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=self.folder)
        with os.fdopen(file, "rb") as stream:
            return stream.read()
