"""Scenarios anyone can read: `transcripts/*.txt` are commands and, word for word, their output.

`pytest --regenerate` writes them anew. Commit the difference only if you can explain it.
"""

import shlex
from pathlib import Path

import pytest

from paxos.cli import main

FOLDER = Path(__file__).parent / "transcripts"
FILES = sorted(FOLDER.glob("*.txt"))


@pytest.fixture
def say(capsys, monkeypatch, tmp_path):
    """Runs a command line in an empty folder: what it says, and how it ends if not well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")

    def run(command):
        program, *arguments = shlex.split(command)
        assert program == "paxos"
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return out + err + (f"[exit code {code}]\n" if code else "")

    return run


def commands(text):
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


def written(text, say):
    """The transcript as it is now: its opening words, then each command and its output."""
    opening = text[: text.index("$ ")]
    return opening + "\n".join(f"$ {command}\n{say(command)}" for command in commands(text))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_the_transcript_says_is_what_is_said(file, say, request):
    text = file.read_text(encoding="utf-8")
    now = written(text, say)
    if request.config.getoption("regenerate"):
        file.write_text(now, encoding="utf-8")
    else:
        assert text == now


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_transcript_begins_with_what_to_look_for(file):
    opening = file.read_text(encoding="utf-8").split("$ ")[0].strip().splitlines()
    assert opening
    assert all(line.startswith("# ") for line in opening)


def test_a_wrong_transcript_is_noticed(say):
    text = "# Nothing.\n\n$ paxos --version\npaxos 0.0\n"
    assert written(text, say) != text


def test_every_mistake_of_the_caller_ends_with_code_2_and_one_sentence(say):
    """The words of argparse differ between Pythons, so they stand here and not in a transcript."""
    for command in (
        "paxos",
        "paxos dance",
        "paxos run",
        "paxos run raft",
        "paxos run static --seed seven",
        "paxos run static --speed 7",
        "paxos draw",
        "paxos draw x.ndjson --view round -o x.svg",
    ):
        said = say(command).splitlines()
        assert len(said) == 2, said
        assert said[0].endswith("--help`.")
        assert said[1] == "[exit code 2]"


def test_a_trace_goes_through_a_file_and_through_standard_output(say):
    plain = say("paxos run static --seed 3 --trace -")
    assert "Ann" in say("paxos run static --seed 3 --trace run.ndjson")
    assert Path("run.ndjson").read_text(encoding="utf-8") == plain
    assert say("paxos draw run.ndjson -o run.svg") == ""
    assert Path("run.svg").read_text(encoding="utf-8").startswith("<svg")
