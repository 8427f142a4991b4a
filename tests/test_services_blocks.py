"""A folder as a disk: what it promises the protocol, and when it gives no answer rather than a wrong one."""

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from disk_workers import CONTEXT, hold, shelf, start
from hypothesis import given, settings
from hypothesis import strategies as st

from paxos.codec import encode
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.blocks import Block, Disk, store
from paxos.protocol.messages import Accept, Blocks, Chosen, Command, Read, Write, Written
from paxos.protocol.quorum import majority
from paxos.protocol.votes import Votes
from paxos.services import blocks
from paxos.services.blocks import Changed, Damaged, Folder, Label, Stored, Taken, pack, unpack


def block(number, owner="ann", value=None):
    """A block in which its owner has promised, and has voted if there is a value."""
    ballot = Ballot(number, owner)
    return Block(Acceptor(ballot, Accept(ballot, value) if value else None))


@contextlib.contextmanager
def holding(path, owner="ann"):
    folder = Folder(path, owner)
    try:
        yield folder
    finally:
        folder.close()


@pytest.fixture
def disk(tmp_path):
    """One disk of a shelf of three."""
    return shelf(tmp_path)[0]


# Files.


LOG = Block(Votes(Ballot(2, "x"), ((0, Accept(Ballot(1, "ann"), (Command("a", 0, "é"),))),)))
DONE = Block(Acceptor(Ballot(2, "b")), Chosen(Ballot(1, "ann"), "Ann"))


@pytest.mark.parametrize("one", [block(1), block(2, "ben", "Ben"), LOG, DONE])
def test_what_is_packed_is_unpacked(one):
    stored = Stored("s", 1, "ann", one)
    assert unpack(pack(stored), Stored, "x") == stored


def test_no_torn_and_no_changed_file_is_taken_for_a_block():
    raw = pack(Stored("s", 1, "ann", block(1, value="Ann")))
    for size in range(len(raw) - 1):  # all but the last, the end of the line, counts
        with pytest.raises(Damaged):
            unpack(raw[:size], Stored, "x")
    for where in range(len(raw) - 1):
        with pytest.raises(Damaged):
            unpack(raw[:where] + bytes([raw[where] ^ 1]) + raw[where + 1 :], Stored, "x")
    assert unpack(raw, Stored, "x")


def signed(data):
    """Any JSON under a checksum that is right: somebody means it."""
    text = json.dumps(data).encode()
    return b" ".join((blocks.HEADER, hashlib.sha256(text).hexdigest().encode(), text))


GOOD = encode(Stored("s", 1, "ann", block(1)))


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"kind": "os.system", "command": "true"},
        {"kind": "Label"},
        {**GOOD, "disk": "1"},
        {**GOOD, "block": None},
        {**GOOD, "more": 1},
        {**GOOD, "block": {**GOOD["block"], "memory": {"kind": "Acceptor", "promised": 3}}},
        encode(Label("s", 1, majority(3), False)),
    ],
)
def test_what_is_no_block_is_not_taken_for_one(data):
    with pytest.raises(Damaged):
        unpack(signed(data), Stored, "x")
    assert unpack(signed(GOOD), Stored, "x")


def test_a_file_of_a_newer_version_stops_the_reader_and_says_what_to_do():
    with pytest.raises(ValueError, match="newer version of paxos: install"):
        unpack(b"paxos-blocks/2 and then anything", Stored, "x")


# Shelves.


def test_a_shelf_has_one_label_and_each_disk_its_number(tmp_path):
    paths = shelf(tmp_path, 5, phase1=4, phase2=2)
    labels = [blocks.look(path)[0] for path in paths]
    assert [label.disk for label in labels] == [1, 2, 3, 4, 5]
    assert {(label.shelf, label.quorums.phase1, label.many) for label in labels} == {
        (labels[0].shelf, 4, False)
    }


def test_a_folder_is_used_once_and_all_or_none_become_disks(tmp_path):
    paths = shelf(tmp_path)
    new = tmp_path / "new"
    new.mkdir()
    with pytest.raises(ValueError, match="disk1 is a disk already"):
        blocks.create([new, paths[0]])
    assert list(new.iterdir()) == []
    with pytest.raises(ValueError, match="new is a disk already"):
        blocks.create([new, new])
    with pytest.raises(ValueError, match="no folder: make it, or mount it"):
        blocks.create([new, tmp_path / "missing"])
    with pytest.raises(ValueError, match="can miss each other"):
        blocks.create([new, new], 1, 1)
    with pytest.raises(ValueError, match="a quorum has at least 1"):
        blocks.create([new], phase1=0)
    assert list(new.iterdir()) == []
    (new / "ann.block").touch()
    with pytest.raises(ValueError, match=r"has blocks on it already, such as ann\.block"):
        blocks.create([new])


# Reads and writes.


def test_a_block_is_read_by_all_and_each_owner_has_one(disk):
    with holding(disk) as ann, holding(disk, "ben") as ben:
        assert ann.answer(Read()) == Blocks(())
        assert ann.answer(Write("ann", block(1))) == Written(block(1))
        assert ben.answer(Write("ben", block(2, "ben"))) == Written(block(2, "ben"))
        assert ann.answer(Write("ann", block(3))) == Written(block(3))
        both = Blocks((("ann", block(3)), ("ben", block(2, "ben"))))
        assert ann.answer(Read()) == ben.answer(Read()) == both
    assert blocks.look(disk)[1] == both.blocks


writes = st.tuples(st.sampled_from(["ann", "ben"]), st.integers(1, 5), st.booleans(), st.booleans())


@settings(max_examples=30)
@given(st.lists(writes, max_size=12))
def test_a_folder_answers_as_the_disk_of_the_protocol_does(tmp_path_factory, requests):
    path, model = shelf(tmp_path_factory.mktemp("shelf"))[0], Disk()
    open_ = {name: Folder(path, name) for name in ("ann", "ben")}
    for owner, number, votes, dies in requests:
        request = Write(owner, block(number, owner, "x" if votes else None))
        model, effects = store(model, request)
        assert open_[owner].answer(request) == effects[-1].message
        if dies:
            open_[owner].close()
            open_[owner] = Folder(path, owner)
        assert open_[owner].answer(Read()) == Blocks(model.blocks)
    for folder in open_.values():
        folder.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc to name files by")
def test_what_is_told_is_safe_from_a_power_cut(disk, monkeypatch):
    """First the bytes, then the name, then the folder. And a reader sees to what it builds on."""
    done = []

    def noted(name):
        real = getattr(os, name)

        def call(first, *rest, **options):
            file = Path(f"/proc/self/fd/{first}" if isinstance(first, int) else first)
            done.append((name, (file.readlink() if isinstance(first, int) else file).name))
            return real(first, *rest, **options)

        monkeypatch.setattr(os, name, call)

    with holding(disk) as ann, holding(disk, "ben") as ben:
        ann.answer(Write("ann", block(1)))
        ben.answer(Read())
        noted("fsync"), noted("replace")
        ann.answer(Write("ann", block(2)))
        assert done == [("fsync", "ann.tmp"), ("replace", "ann.tmp"), ("fsync", "disk1")]
        done.clear()
        ben.answer(Read())
        assert done == [("fsync", "disk1")]
        ben.answer(Read())
        assert done == [("fsync", "disk1")]  # nothing new, nothing to see to


def test_a_write_that_fails_half_way_leaves_the_old_block(disk, monkeypatch):
    with holding(disk) as ann:
        ann.answer(Write("ann", block(1)))
        with monkeypatch.context() as broken, pytest.raises(FileNotFoundError):
            broken.setattr(os, "replace", lambda *_, **__: Path("/nowhere").stat())
            ann.answer(Write("ann", block(2)))
        assert (disk / "ann.tmp").exists()
        assert ann.answer(Read()) == Blocks((("ann", block(1)),))
        assert ann.answer(Write("ann", block(2))) == Written(block(2))


def test_a_listing_that_misses_a_file_hides_no_block(disk, monkeypatch):
    """POSIX allows it, when the file is replaced at that moment."""
    real = os.scandir

    @contextlib.contextmanager
    def scandir(where):
        with real(where) as entries:
            yield [one for one in entries if not one.name.endswith(".block")]

    with holding(disk) as ann, holding(disk, "ben") as ben:
        ann.answer(Write("ann", block(1)))
        monkeypatch.setattr(os, "scandir", scandir)
        assert ben.answer(Read()) == Blocks((("ann", block(1)),))


def test_whoever_comes_back_does_not_overwrite_what_it_had_written(disk):
    with holding(disk) as ann:
        ann.answer(Write("ann", block(5, value="Ann")))
    with holding(disk) as ann:
        assert ann.answer(Write("ann", block(3))) == Written(block(5, value="Ann"))
        assert ann.answer(Read()) == Blocks((("ann", block(5, value="Ann")),))


def test_a_system_that_promises_less_is_told_so(disk, monkeypatch):
    monkeypatch.setattr(blocks.os, "name", "nt")
    for call in (lambda: Folder("x", "ann"), lambda: blocks.create(["x"])):
        with pytest.raises(ValueError, match="need Linux, macOS or another POSIX system"):
            call()


# Names.


def test_two_processes_cannot_have_one_name(disk):
    with holding(disk) as ann:
        ann.open()
        with (
            holding(disk) as other,
            pytest.raises(Taken, match=f"process {os.getpid()} on .* holds"),
        ):
            other.answer(Read())
    with holding(disk) as other:
        assert other.answer(Read()) == Blocks(())


def test_a_name_is_free_when_its_process_is_killed(disk):
    ours, theirs = CONTEXT.Pipe()
    process = start(hold, disk, theirs)
    assert ours.recv() == "held"
    with holding(disk) as ann:
        with pytest.raises(Taken, match=f"process {process.pid} "):
            ann.answer(Read())
        process.kill()
        process.join()
        assert ann.answer(Read()) == Blocks((("ann", block(1)),))


def test_a_lock_that_somebody_deletes_is_missed(disk):
    with holding(disk) as ann, holding(disk) as other:
        ann.answer(Write("ann", block(1)))
        (disk / "ann.lock").unlink()
        other.answer(Write("ann", block(2)))
        with pytest.raises(Taken):
            ann.answer(Write("ann", block(3)))
        assert blocks.look(disk)[1] == (("ann", block(2)),)


@pytest.mark.parametrize("name", ["", "Ann", "../ann", "ann.block", "a b", "-x", "a" * 65, "é"])
def test_a_name_must_be_good_for_a_file_on_any_system(disk, name):
    with pytest.raises(ValueError, match="is no name: use up to 64 small letters"):
        Folder(disk, name)


# Disks that cannot be believed.


def test_a_mount_point_without_its_mount_is_no_empty_disk(tmp_path):
    with holding(tmp_path) as ann, pytest.raises(Damaged, match="has no label"):
        ann.answer(Read())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["missing", "file"])
def test_what_is_no_folder_is_no_answer(tmp_path, path):
    (tmp_path / "file").touch()
    with holding(tmp_path / path) as ann, pytest.raises(OSError):
        ann.answer(Read())


def test_a_torn_block_is_no_answer_until_it_is_whole(disk):
    with holding(disk) as ann, holding(disk, "ben") as ben:
        ann.answer(Write("ann", block(1)))
        whole = (disk / "ann.block").read_bytes()
        (disk / "ann.block").write_bytes(whole[:50])
        with pytest.raises(Damaged, match=r"ann\.block is torn, or not a file of paxos"):
            ben.answer(Read())
        (disk / "ann.block").write_bytes(whole)
        assert ben.answer(Read()) == Blocks((("ann", block(1)),))


def test_a_block_of_elsewhere_is_no_answer(tmp_path):
    one, two, _ = shelf(tmp_path)
    with holding(one) as ann:
        ann.answer(Write("ann", block(1)))
    for there in (two / "ann.block", one / "ben.block"):
        shutil.copy(one / "ann.block", there)
        with (
            holding(there.parent, "cleo") as cleo,
            pytest.raises(Damaged, match="belongs elsewhere"),
        ):
            cleo.answer(Read())
        there.unlink()
    (log,) = shelf(tmp_path / "log", 1, many=True)
    shutil.copy(one / "paxos-disk", log / "paxos-disk")
    with holding(log) as ann:
        ann.answer(Write("ann", block(1)))
    label = blocks.look(one)[0]
    (log / "paxos-disk").write_bytes(pack(replace(label, many=True)))
    with holding(log, "ben") as ben, pytest.raises(Damaged, match="of another protocol"):
        ben.answer(Read())


def test_a_conflicted_copy_shows_that_the_folder_is_mirrored(disk):
    with holding(disk) as ann:
        ann.answer(Write("ann", block(1)))
        for name in ("ann (conflicted copy).block", "ann.sync-conflict-2.block"):
            shutil.copy(disk / "ann.block", disk / name)
            with pytest.raises(Damaged, match="is a copy: does a sync client mirror it"):
                ann.answer(Read())
            (disk / name).unlink()


def test_files_of_others_are_left_alone(disk):
    for name in (".DS_Store", "Thumbs.db", "._ann.block", "notes.txt", "ben.tmp", "zoe.lock"):
        (disk / name).write_text("mine")
    with holding(disk) as ann:
        ann.answer(Write("ann", block(1)))
        assert ann.answer(Read()) == Blocks((("ann", block(1)),))
    assert (disk / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("what", ["older", "gone", "emptied", "another"])
def test_a_disk_that_lost_what_it_had_is_never_believed_again(tmp_path, disk, what):
    other = shelf(tmp_path / "other")[0]
    with holding(disk) as ann, holding(disk, "ben") as ben:
        ann.answer(Write("ann", block(1)))
        before = (disk / "ann.block").read_bytes()
        ann.answer(Write("ann", block(2)))
        ben.answer(Read())
        ben.close()
        now = (disk / "ann.block").read_bytes()
        if what == "older":
            (disk / "ann.block").write_bytes(before)
        elif what == "gone":
            (disk / "ann.block").unlink()
        elif what == "emptied":
            for name in ("ann.block", "ann.lock"):
                (disk / name).unlink()
        else:
            shutil.copy(other / "paxos-disk", disk / "paxos-disk")
        with pytest.raises(Changed):
            ben.answer(Read())
        (disk / "ann.block").write_bytes(now)
        with pytest.raises(Changed):
            ben.answer(Read())
        assert ben.folder == ben.lock == -1
