"""The command: what a person types, what they get, and what a mistake tells them."""

import io
import subprocess
import sys

import pytest

from paxos import trace
from paxos.cli import main


def call(capsys, *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as left:
        code = int(left.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def run_file(tmp_path, capsys):
    path = tmp_path / "run.ndjson"
    assert call(capsys, "run", "static", "--trace", str(path))[0] == 0
    return path


def test_a_run_ends_with_what_was_chosen_and_what_it_cost(capsys):
    code, out, err = call(capsys, "run", "static")
    assert code == 0 and err == ""
    assert out.endswith(
        "\n\nchosen: Ben in 1.ben at 4.49 message delays, chain of 3\n"
        "first known to l1 at 5.18 message delays, chain of 4\n"
        "messages: 63 sent, 0 lost\n"
    )


def test_a_trace_goes_to_a_file_or_to_the_output_and_is_the_same(capsys, run_file):
    _, out, _ = call(capsys, "run", "static", "--trace", "-")
    assert out == run_file.read_text(encoding="utf-8")
    assert trace.dumps(trace.loads(out)) == out


@pytest.mark.parametrize("view", ["box", "phases", "steps", "activity", "spacetime"])
def test_every_view_is_drawn(capsys, run_file, tmp_path, view):
    target = tmp_path / "x.svg"
    code, _, err = call(capsys, "draw", str(run_file), "--view", view, "-o", str(target))
    assert (code, err) == (0, "")
    assert target.read_text(encoding="utf-8").startswith("<svg")


def test_a_trace_can_be_piped(capsys, run_file, tmp_path, monkeypatch):
    given = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + run_file.read_bytes()))
    monkeypatch.setattr(sys, "stdin", given)  # with the mark that some editors put first
    assert call(capsys, "draw", "-", "-o", str(tmp_path / "x.svg"))[0] == 0


def test_an_activity_diagram_is_written_as_dot(capsys, run_file, tmp_path):
    target = tmp_path / "x.dot"
    words = ("draw", str(run_file), "--view", "activity", "-o", str(target))
    assert call(capsys, *words)[0] == 0
    assert target.read_text(encoding="utf-8").startswith("digraph")


MISTAKES = {
    "no command": ([], "required: COMMAND"),
    "a wrong flag": (["run", "static", "--seed", "x"], "invalid int value: 'x'"),
    "an unknown flag": (["run", "static", "--colour"], "unrecognized arguments: --colour"),
    "an unknown protocol": (["run", "raft"], "invalid choice: 'raft'"),
    "no acceptors": (["run", "static", "--acceptors", "0"], "a run needs at least 1"),
    "quorums that miss": (
        ["run", "static", "--phase1", "1", "--phase2", "2"],
        "1 + 2 must be more than 3. Raise one of them.",
    ),
    "no chance": (["run", "static", "--loss", "2"], "loss is a chance: 2.0 is not from 0 to 1"),
    "no number": (["run", "static", "--loss", "nan"], "loss is a chance"),
    "no fault": (["run", "static", "--fault", "explode"], "cannot read the fault 'explode'"),
    "no such node": (["run", "static", "--fault", "crash n9 at 1"], "no node is called 'n9'"),
    "no such file": (["draw", "gone.ndjson", "-o", "x.svg"], "gone.ndjson: No such file"),
    "an unknown view": (["draw", "x", "--view", "inside", "-o", "x.svg"], "invalid choice"),
    "half a flag": (["run", "static", "--los", "0.1"], "unrecognized arguments: --los"),
    "no name": (["run", "static", "--trace", ""], "--trace wants the name of a file"),
    "no folder": (["run", "static", "--trace", "/gone/x"], "cannot write /gone/x: No such file"),
    "a folder": (["draw", "/", "-o", "x.svg"], "/ is a folder: name the trace file in it"),
    "a crowd": (["run", "static", "--proposers", "101"], "more than 100 would run for hours"),
    "no output": (["draw", "x"], "required: -o/--output"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_sentence_and_exit_code_2(capsys, mistake):
    words, says = MISTAKES[mistake]
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert says in err and err.startswith("paxos")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("{}\n", "line 1: "),
        ("hello\n", "line 1: not JSON"),
    ],
)
def test_an_unreadable_trace_is_named_with_the_reason(capsys, tmp_path, text, says):
    path = tmp_path / "bad.ndjson"
    path.write_text(text, encoding="utf-8")
    code, _, err = call(capsys, "draw", str(path), "-o", str(tmp_path / "x.svg"))
    assert code == 2 and "bad.ndjson" in err and says in err
    assert not (tmp_path / "x.svg").exists()


def test_a_picture_is_no_trace(capsys, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\xff")
    assert "not text in UTF-8" in call(capsys, "draw", str(path), "-o", "x.svg")[2]


@pytest.mark.parametrize(
    ("view", "output", "says"),
    [
        ("box", "x.dot", "the view box is a drawing"),
        ("box", "x.png", "neither .svg nor .dot"),
        ("log", "x.svg", "a run of static has no view log"),
    ],
)
def test_what_cannot_be_drawn_is_refused(capsys, run_file, tmp_path, view, output, says):
    words = ("draw", str(run_file), "--view", view, "-o", str(tmp_path / output))
    code, _, err = call(capsys, *words)
    assert code == 2 and says in err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_whose_owner_wants_it(monkeypatch, no_color, coloured):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("NO_COLOR", no_color)
    main(["run", "static"])
    assert ("\x1b[" in sys.stdout.getvalue()) is coloured


def test_a_reader_who_leaves_early_is_no_error():
    command = f"{sys.executable} -m paxos.cli run static --until 9000 | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "ann wants Ann" in " ".join(done.stdout.split()) and done.stderr == ""


def test_the_version_and_the_help_are_there(capsys):
    assert call(capsys, "--version")[1].startswith("paxos 0")
    code, out, _ = call(capsys, "run", "--help")
    assert code == 0 and "drop promise 3 to ann" in out


def test_a_fault_that_never_came_true_is_noted(capsys):
    faults = ("crash n1 at 1", "drop promise 99 to ann", "crash n1 after save 9")
    words = [word for line in faults for word in ("--fault", line)]
    code, _, err = call(capsys, "run", "static", *words)
    assert code == 0
    assert err.splitlines() == [
        f"paxos: note: the fault {line!r} never came true" for line in faults[1:]
    ]


@pytest.mark.parametrize("closed", ["run static >&-", "draw - -o x.svg <&-"])
def test_a_closed_standard_stream_is_named(closed, tmp_path):
    command = f"{sys.executable} -m paxos.cli {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "paxos: standard input and output must be open\n")


def test_a_recorded_run_can_be_followed_again(capsys, run_file, tmp_path):
    again = tmp_path / "again.ndjson"
    code, _, err = call(capsys, "run", "static", "--replay", str(run_file), "--trace", str(again))
    assert (code, err) == (0, "")
    assert again.read_bytes() == run_file.read_bytes()


def test_a_run_of_broken_rules_is_followed_up_to_the_step_that_breaks_one(capsys, tmp_path):
    bad = tmp_path / "bad.ndjson"
    call(capsys, "check", "static", "--without", "adopt no vote", "--counterexample", str(bad))
    code, out, err = call(capsys, "run", "static", "--replay", str(bad))
    assert code == 1
    assert "record 17 of 19 is no step of the rules as they are" in err
    assert "ben  accept 1.ben, Ann" in out, "with the rule Ben asks for Ann"
    code, _, err = call(capsys, "run", "log", "--replay", str(bad))
    assert code == 2
    assert "a run of static: run that" in err
