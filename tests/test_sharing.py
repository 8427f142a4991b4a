"""The commands `paxos log` and `paxos demo`: what a person types, and what they get."""

import asyncio
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

import paxos
from paxos import demo, sharing
from paxos.cli import main
from paxos.client import NAME, Entry, Status


@pytest.fixture
def paxos_log(capsys, tmp_path):
    """Call `paxos log` on three folders: code, output, complaints."""

    def call(command, *words, services=("a", "b", "c")):
        urls = [f"file://{tmp_path}/{one}" if ":" not in one else one for one in services]
        flags = [word for url in urls for word in ("--service", url)]
        try:
            code = main(["log", command, *flags, *words])
        except SystemExit as left:
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return call


def given(monkeypatch, raw):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def test_what_is_appended_is_printed_in_order(paxos_log, monkeypatch):
    assert paxos_log("append", "--name", "ann", "one", "two") == (0, "0\n1\n", "")
    given(monkeypatch, b"three\n\nfour\\\xff\r\n\x1b[31m\n")
    assert paxos_log("append", "--name", "ben", "-") == (0, "2\n3\n4\n5\n", "")
    given(monkeypatch, b"")
    assert paxos_log("append", "--name", "ben", "-") == (0, "", "")
    code, out, err = paxos_log("read")
    assert (code, err) == (0, "")
    assert out == "ann\tone\nann\ttwo\nben\tthree\nben\t\nben\tfour\\\\\\xff\\r\nben\t\\x1b[31m\n"
    code, out, err = paxos_log("read", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert told[0] == {"index": 0, "author": "ann", "text": "one"}
    assert told[4] == {"index": 4, "author": "ben", "base64": "Zm91clz/DQ=="}


def test_an_entry_on_the_command_line_may_be_any_bytes(paxos_log):
    assert paxos_log("append", os.fsdecode(b"\xff"))[0] == 0
    assert json.loads(paxos_log("read", "--json")[1])["base64"] == "/w=="


@pytest.mark.parametrize("services", [("a",), ("a", "b", "c", "d", "e")])
def test_a_log_has_one_service_or_more(paxos_log, services):
    assert paxos_log("append", "x", services=services) == (0, "0\n", "")
    assert paxos_log("read", "--name", "ann", services=services)[1].endswith("\tx\n")


def test_warnings_go_to_standard_error(paxos_log, tmp_path):
    code, out, err = paxos_log("append", "x", services=("d", "e"))
    assert (code, out) == (0, "0\n")
    assert err == ("paxos: 2 services survive no more failures than 1: use one more, or one less\n")
    paxos_log("append", "x")
    shutil.rmtree(tmp_path / "b")
    code, out, err = paxos_log("append", "y")
    assert (code, out) == (0, "1\n")
    where = f"{tmp_path}/b"
    assert err == f"paxos: file://{where} is out of reach: {where}: No such file or directory\n"


def test_undecided_is_not_done(paxos_log, tmp_path):
    paxos_log("append", "x")
    for gone in "ab":
        shutil.rmtree(tmp_path / gone)
    code, out, err = paxos_log("append", "--timeout", "0.2", "y", "z")
    assert (code, out) == (3, "")
    assert "paxos: 0 of 2 entries are decided\n" in err
    assert "The entry is not decided after" in err and "1 of 3 services answer" in err
    assert paxos_log("read", "--timeout", "0.2")[0] == 3


MISTAKES = {
    "no service": (["log", "read"], "arguments are required: --service"),
    "no command": (["log"], "required: COMMAND"),
    "no text": (["log", "append", "--service", "memory:"], "required: TEXT"),
    "no such service": (
        ["log", "read", "--service", "gopher:x"],
        "no service is called 'gopher:x'",
    ),
    "the same twice": (["log", "read", *["--service", "memory:x"] * 3], "named twice"),
    "no time": (["log", "read", "--service", "memory:x", "--timeout", "0"], "give it some seconds"),
    "a dot": (["log", "read", "--service", "memory:x", "--name", "a.b"], "no space and no dot"),
    "another machine": (["log", "read", "--service", "file://x/y"], "names another machine"),
    "no seconds": (["demo", "--seconds", "0"], "give it some seconds"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(capsys, mistake):
    words, told = MISTAKES[mistake]
    try:
        code = main(words)
    except SystemExit as left:
        code = left.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and told in err and err.count("\n") == 1


def test_services_that_do_not_belong_together_are_refused(paxos_log, tmp_path):
    paxos_log("append", "x")
    code, out, err = paxos_log("append", "x", services=("a", "b"))
    assert (code, out) == (2, "") and "the log has 3 services, but 2 are named" in err
    assert paxos_log("read", "--some", services=("a", "b"))[1].endswith("\tx\n")


def test_a_device_may_remember_and_every_run_may_be_traced(paxos_log, tmp_path):
    kept, trace = str(tmp_path / "seen.json"), str(tmp_path / "run.ndjson")
    assert paxos_log("append", "--remember", kept, "--trace", trace, "x")[0] == 0
    code, _, err = paxos_log("read", "--trace", trace)
    assert code == 2 and "a trace wants a new file" in err
    for one in "abc":
        shutil.rmtree(tmp_path / one)
        (tmp_path / one).mkdir()
    code, _, err = paxos_log("append", "--remember", kept, "y")
    assert code == 2 and "is empty, but this device has seen a log there" in err


def test_the_status_is_a_table(paxos_log, tmp_path):
    paxos_log("append", "x")
    shutil.rmtree(tmp_path / "b")
    code, out, _ = paxos_log("status")
    head, *rows = out.splitlines()
    assert code == 0 and head.split() == [*sharing.HEAD[:-1], "last", "error"]
    assert [row.split()[1:3] for row in rows] == [["s1", "yes"], ["?", "no"], ["s3", "yes"]]
    assert rows[1].endswith(f"{tmp_path}/b: No such file or directory")
    shutil.rmtree(tmp_path / "c")
    assert paxos_log("status", "--timeout", "0.1")[0] == 3


def test_a_narrow_terminal_gets_a_paragraph_for_each_service():
    rows = [
        Status("file:///a", "s1", True, 5, 0.0123, 9, 4, None),
        Status("file:///b", None, None, 0, 0.0, 0, 0, "line one\nline two"),
    ]
    wide = sharing.table(rows, 120)
    assert (
        wide == sharing.table(rows) and len(wide) == 3 and wide[2].endswith(r"line one\nline two")
    )
    assert sharing.table(rows, 60) == [
        "file:///a",
        "  list s1, up yes, position 5, latency 12.3 ms, trips 4",
        "file:///b",
        "  list ?, up ?, position 0, latency -, trips 0",
        r"  line one\nline two",
    ]


@pytest.mark.parametrize("name", ["my laptop.local", "-", "", "träum", "x" * 200])
def test_the_name_of_the_host_is_made_fit(monkeypatch, name):
    monkeypatch.setattr("socket.gethostname", lambda: name)
    assert NAME.fullmatch(sharing.host())


def test_an_author_cannot_write_on_the_terminal():
    assert sharing.shown(Entry(0, "a\x1b[2J\ud800", b"x"), False) == "a\\x1b[2J?\tx"


@pytest.mark.parametrize("command", ["append", "read", "watch", "status"])
def test_help_has_an_example_and_the_exit_codes(paxos_log, command):
    code, out, _ = paxos_log(command, "--help")
    assert code == 0 and "example, three folders" in out and "3 undecided" in out


def run(*words, **options):
    command = [sys.executable, "-W", "error", "-X", "dev", "-m", "paxos", *words]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **options)


def test_whoever_watches_is_told_what_comes_until_ctrl_c(paxos_log, tmp_path):
    paxos_log("append", "--name", "ann", "x")
    flags = [word for one in "abc" for word in ("--service", f"file://{tmp_path}/{one}")]
    with run("log", "watch", *flags) as watch:
        assert watch.stdout.readline() == "ann\tx\n"
        paxos_log("append", "--name", "ben", "y")
        assert watch.stdout.readline() == "ben\ty\n"
        watch.send_signal(signal.SIGINT)
        assert (*watch.communicate(timeout=50), watch.returncode) == ("", "", 0)


def test_an_append_that_is_stopped_says_what_may_happen(paxos_log, tmp_path):
    paxos_log("append", "x")
    for gone in "ab":
        shutil.rmtree(tmp_path / gone)
    flags = [word for one in "abc" for word in ("--service", f"file://{tmp_path}/{one}")]
    with run("log", "append", *flags, "y") as append:
        for _ in "ab":
            assert "is out of reach" in append.stderr.readline()
        append.send_signal(signal.SIGINT)
        out, err = append.communicate(timeout=50)
    assert (out, append.returncode) == ("", 130)
    assert err.endswith("paxos: stopped; what was appended may still be decided\n")


# The demo.


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(demo, "PAUSE", 0.05)


def test_two_writers_agree_while_a_folder_is_deleted(capsys, quick):
    assert main(["demo", "--seconds", "1.5", "--delete"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and "/stick is gone; 2 of 3 answer\n" in out
    assert "entries, the same for both.\n" in out
    rows = [line for line in out.splitlines() if line[:4].strip().isdigit() and line[4:6] == "  "]
    assert [int(row[:4]) for row in rows] == list(range(len(rows))) and len(rows) >= 4
    assert all(row[6:38].strip() == row[38:] for row in rows)
    after = out[out.index("is gone") :]
    assert " takes the car" in after or len(after.splitlines()) > 3
    home = out.split("Three folders: ")[1].split("/nas")[0]
    assert not os.path.exists(home)  # noqa: PTH110


def test_the_folders_may_be_kept(capsys, quick):
    assert main(["demo", "--seconds", "0.3", "--keep"]) == 0
    home = capsys.readouterr().out.rsplit("still in ", 1)[1].strip()
    names = sorted(os.listdir(home))  # noqa: PTH208
    shutil.rmtree(home)
    assert names == ["cloud", "nas", "stick"]


def test_the_demo_tells_where_two_do_not_agree(capsys):
    it = demo.Demo(demo.Path("/x"), SimpleNamespace())

    class Liar:
        def __init__(self, *texts):
            self.entries = [Entry(0, "ann", one) for one in texts]

        def count(self):
            pass

        async def append(self, *_, **__):
            pass

        async def read(self, **_):
            return self.entries

    assert asyncio.run(it.end((Liar(b"x"), Liar(b"y")))) == 1
    assert "NOT the same" in capsys.readouterr().out


def test_the_demo_is_stopped_by_ctrl_c(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with run("demo", env=environment) as it:
        for line in it.stdout:
            if "takes the car" in line:
                break
        it.send_signal(signal.SIGINT)
        _, err = it.communicate(timeout=50)
    assert (err, it.returncode) == ("", 0)
    assert list(tmp_path.iterdir()) == []


def test_the_public_door_has_no_other_names_than_it_says():
    assert all(getattr(paxos, name).__module__.startswith("paxos.") for name in paxos.__all__)
