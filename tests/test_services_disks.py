"""A process decides through folders, while disks fail under it and callers make mistakes."""

import random
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from disk_workers import CONTEXT, as_nobody, shelf, start

from paxos.cli import main
from paxos.services import blocks, disks
from paxos.services.blocks import Folder, Taken, look
from paxos.services.disks import Disks, Undecided, append, decide


@pytest.fixture
def three(tmp_path):
    return shelf(tmp_path)


# Deciding.


def test_everybody_is_told_the_same_and_it_is_what_somebody_wished(three):
    assert decide(three, "ann", "Ann") == "Ann"
    assert decide(three, "ben", "Ben") == "Ann"
    assert decide(three, "ann", "not Ann") == "Ann"  # a new life of hers
    with Disks(three, "cleo") as cleo:
        assert cleo.decide("Cleo") == cleo.decide("Cleo again") == "Ann"


@pytest.mark.parametrize(("number", "quorums"), [(1, {}), (5, {}), (3, {"phase1": 3, "phase2": 1})])
def test_a_shelf_has_any_size_and_its_own_quorums(tmp_path, number, quorums):
    paths = shelf(tmp_path, number, **quorums)
    assert decide(paths, "ann", "Ann") == decide(paths, "ben", "Ben") == "Ann"


def test_what_is_decided_is_text(three):
    odd = 'é " \\ \n # \u2028 {"kind": "Block"}'
    assert decide(three, "ann", odd) == decide(three, "ben", "Ben") == odd
    with pytest.raises(TypeError, match="write down as text"):
        decide(three, "ann", 3)
    with pytest.raises(UnicodeEncodeError):
        decide(three, "ann", "\udc80")


# Disks that fail.


def test_one_disk_of_three_may_be_missing_and_is_reported_once(three):
    shutil.rmtree(three[1])
    said = []
    assert decide(three, "ann", "Ann", tell=said.append) == "Ann"
    assert said == [f"disk {three[1]} does not answer: No such file or directory"]


def test_two_of_three_missing_leave_it_undecided_and_later_it_goes_on(tmp_path, three):
    away = [path.rename(tmp_path / f"away{path.name}") for path in three[1:]]
    said = []
    with Disks(three, "ann", timeout=0.5, tell=said.append) as ann:
        with pytest.raises(Undecided, match=r"1 of 3 disks answer, 2 are needed; .*disk2: No such"):
            ann.decide("Ann")
        for path, back in zip(away, three[1:], strict=True):
            path.rename(back)
        ann.timeout = 60
        assert ann.decide("Ann") == "Ann"
    assert {f"disk {path} answers again" for path in three[1:]} <= set(said)


def test_a_disk_that_was_missing_is_not_trusted_for_being_empty(tmp_path, three):
    """A mount point without its mount, twice: its votes are not gone, they are out of reach."""
    decide(three, "ann", "Ann")
    for path in three[1:]:
        path.rename(tmp_path / f"away{path.name}")
        path.mkdir()
    with pytest.raises(Undecided, match="disk2: no disk of paxos is there"):
        decide(three, "ben", "Ben", timeout=0.5)


def test_a_read_only_disk_is_a_failed_disk(tmp_path):
    with tempfile.TemporaryDirectory() as folder:  # one that others may enter
        Path(folder).chmod(0o755)
        paths = shelf(folder)
        for path, mode in zip(paths, (0o777, 0o555, 0o777), strict=True):
            path.chmod(mode)
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = start(as_nobody, paths, theirs)
        value, said = ours.recv()
        process.join()
        paths[1].chmod(0o755)
        assert value == "Ann"
        assert said == [f"disk {paths[1]} does not answer: Permission denied"]
        assert [len(look(path)[1]) for path in paths] == [1, 0, 1]


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_a_failed_disk_and_keeps_its_old_block(three):
    assert decide(three, "ann", "Ann") == "Ann"
    before, said = (three[2] / "ann.block").read_bytes(), []
    (three[2] / "ann.tmp").symlink_to(FULL)
    assert decide(three, "ann", "Ben", tell=said.append) == "Ann"
    assert said == [f"disk {three[2]} does not answer: No space left on device"]
    assert (three[2] / "ann.block").read_bytes() == before


def mounted(path, *options):
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(path)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def test_a_small_disk_fills_up_and_is_emptied_and_one_becomes_read_only(tmp_path):
    path = tmp_path / "disk3"
    path.mkdir()
    if not mounted(path, "size=64k"):
        pytest.skip("mounting takes rights that we do not have here")
    try:
        paths = [*shelf(tmp_path / "others", 2), path]
        for other in paths[:2]:
            (other / blocks.LABEL).unlink()
        blocks.create(paths)
        with pytest.raises(OSError, match="No space left"), (path / "junk").open("wb") as junk:
            junk.write(bytes(100_000))
        said = []
        with Disks(paths, "ann", timeout=60, tell=said.append) as ann:
            assert ann.decide("Ann") == "Ann"
        assert said == [f"disk {path} does not answer: No space left on device"]
        (path / "junk").unlink()
        said.clear()
        assert decide(paths, "ben", "Ben", tell=said.append) == "Ann"
        assert said == [] and [owner for owner, _ in look(path)[1]] == ["ben"]
        assert mounted(path, "remount", "ro")
        assert decide(paths, "cleo", "Cleo", tell=said.append) == "Ann"
        assert said == [f"disk {path} does not answer: Read-only file system"]
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.fixture
def slow(three, monkeypatch):
    """The third disk takes its time over every write until it is set free."""
    free, busy, real = threading.Event(), threading.Event(), Folder.write

    def write(folder, block):
        if folder.path == three[2]:
            busy.set()
            free.wait(60)
        return real(folder, block)

    monkeypatch.setattr(Folder, "write", write)
    yield free, busy
    free.set()


def test_a_slow_disk_holds_up_nobody(three, slow):
    free, busy = slow
    with Disks(three, "ann") as ann:
        assert ann.decide("Ann") == "Ann"
        assert busy.wait(60) and look(three[2])[1] == ()
        with pytest.raises(Taken):  # it is still at work under this name
            decide([*three[2:], *three[:2]], "ann", "Ann", timeout=60)
        free.set()
    (mine,) = (block for _, block in look(three[2])[1])
    assert mine.chosen and mine.chosen.value == "Ann"


def test_an_old_write_never_overtakes_a_newer_one(three, slow, monkeypatch):
    """One write at a time: the newest waits until the old one is done, and those between are dropped."""
    free, _ = slow
    written, real = [], Folder.write
    with Disks(three, "ann") as ann:
        assert ann.decide("Ann") == "Ann"
        monkeypatch.setattr(
            Folder, "write", lambda *its: written.append((its[0].path, its[1])) or real(*its)
        )
        free.set()
    late = [block for path, block in written if path == three[2]]
    assert len(late) == 1 and late[0].chosen
    assert look(three[2]) != look(three[0]) and look(three[2])[1] == look(three[0])[1]


# Mistakes of the caller.


def test_shelves_do_not_mix(tmp_path, three):
    other = shelf(tmp_path / "other")
    with pytest.raises(ValueError, match=r"are of two shelves|belongs to another shelf"):
        decide([*three[:2], other[2]], "ann", "Ann", timeout=60)
    assert look(other[2])[1] == ()  # nothing was written there
    copy = shutil.copytree(three[0], tmp_path / "copy")
    with pytest.raises(ValueError, match="are the same disk, or one is a copy"):
        decide([three[0], three[1], copy], "ann", "Ann", timeout=60)
    with pytest.raises(ValueError, match="has 3 disks, but 2 are named: name all"):
        decide(three[:2], "ann", "Ann")
    with pytest.raises(ValueError, match="disk1 is named twice"):
        decide([three[0], three[0], three[1]], "ann", "Ann")
    with pytest.raises(ValueError, match="no disk is named"):
        decide([], "ann", "Ann")
    with pytest.raises(ValueError, match="made for one decision: decide"):
        append(three, "ann", ["Ann"])


def test_where_there_is_no_disk_at_all_nobody_waits(tmp_path):
    with pytest.raises(ValueError, match=r"Not one disk of a shelf is there: .*paxos disk create"):
        decide([tmp_path / "a", tmp_path / "b"], "ann", "Ann")


def test_a_defect_of_ours_is_not_swallowed_by_a_thread(three, monkeypatch):
    monkeypatch.setattr(Folder, "read", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decide(three, "ann", "Ann")


# A log.


def test_a_log_has_everything_once_and_everybody_reads_the_same(tmp_path):
    paths = shelf(tmp_path, many=True)
    first = append(paths, "ann", ["a", "b", "b"])
    assert [one.text for one in first] == ["a", "b", "b"]
    with Disks(paths, "ben") as ben:
        second = ben.append(["c"])
        assert ben.append([f"d{number}" for number in range(40)])[:4] == second
    assert second[:3] == first
    last = append(paths, "ann", ["a"])  # a new life: another command with the same text
    assert [one.text for one in last] == [*"abbc", *(f"d{n}" for n in range(40)), "a"]
    with pytest.raises(ValueError, match="nothing to append"):
        append(paths, "ann", [])
    with pytest.raises(ValueError, match="made for a log: append to it"):
        decide(paths, "ann", "Ann")


# Patience.


def test_who_loses_waits_at_random_and_longer_each_time(three):
    with Disks(three, "ann", chance=random.Random(1)) as ann:
        waits = [ann.patience("rival") for _ in range(200)]
        assert len(set(waits)) == 200
        assert max(waits[:3]) < max(waits) <= 2 * ann.pace * 2**7
        again = Disks(three, "ben", chance=random.Random(1))
        assert [again.patience("rival") for _ in range(200)] == waits
        assert ann.patience("answers") == disks.LOST
        ann.missed = 2
        assert ann.patience("answers") == 4 * disks.LOST


def test_a_word_now_and_then_for_those_who_wait(three, monkeypatch):
    for path in three[1:]:
        shutil.rmtree(path)
    monkeypatch.setattr(disks, "EVERY", 0.1)
    said = []
    with pytest.raises(Undecided):
        decide(three, "ann", "Ann", timeout=0.5, tell=said.append)
    assert any(line.startswith("Still waiting: 1 of 3 disks answer, 2 are needed") for line in said)


# The command.


def call(capsys, *words):
    try:
        code = main([str(word) for word in words])
    except SystemExit as left:
        code = left.code
    return code, *capsys.readouterr()


def test_the_command_creates_decides_and_shows(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = ["d1", "d2", "d3"]
    for folder in folders:
        Path(folder).mkdir()
    code, out, err = call(capsys, "disk", "create", *folders)
    assert (code, err) == (0, "") and out.endswith(": 3 disks\n")
    assert call(capsys, "disk", "decide", *folders, "--name=ann", "--propose=Ann") == (
        0,
        "Ann\n",
        "",
    )
    assert call(capsys, "disk", "decide", *folders, "--name=ben", "--propose=Ben") == (
        0,
        "Ann\n",
        "",
    )
    code, out, err = call(capsys, "disk", "show", *folders)
    assert (code, err, out.count("voted in 1 for Ann, knows that Ann is chosen")) == (0, "", 3)
    assert out.startswith("d1: disk 1 of 3, shelf ")
    shutil.rmtree("d2"), shutil.rmtree("d3")
    code, out, err = call(
        capsys, "disk", "decide", *folders, "--name=ann", "--propose=Ann", "--timeout=0.2"
    )
    assert (code, out) == (3, "") and err.endswith("may still come true\n")
    code, out, err = call(capsys, "disk", "show", *folders)
    assert code == 2 and "paxos: d3: No such file or directory" in err and "ann: " in out


def test_the_command_appends(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    assert call(capsys, "disk", "create", "--log", "d")[0] == 0
    assert call(capsys, "disk", "append", "d", "--name=ann", "--entry=a", "--entry=b")[0] == 0
    code, out, err = call(capsys, "disk", "append", "d", "--name=ben", "--entry=c")
    assert (code, out, err) == (0, "ann\ta\nann\tb\nben\tc\n", "")
    assert call(capsys, "disk", "show", "d")[1].count("votes") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["decide", "x", "--name=ann", "--propose=A"], "`paxos disk create` makes new ones"),
        (["decide", "x", "--name=Ann", "--propose=A"], "is no name"),
        (["decide", "x", "--propose=A"], "required: --name"),
        (["decide", "x", "--name=ann", "--propose=A", "--timeout=-1"], "give it some seconds"),
        (["create", "x"], "x is no folder"),
        (["append", "x", "--name=ann"], "required: --entry"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, "disk", *words)
    assert (code, out) == (2, "") and said in err.splitlines()[-1]
