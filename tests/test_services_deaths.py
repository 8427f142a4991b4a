"""Many processes at the same folders: they race, they are killed at any moment, and they agree."""

import random
import subprocess
import sys

import pytest
from disk_workers import (
    CONTEXT,
    NAMES,
    Diary,
    appender,
    campaign,
    dies_when_told,
    race,
    shelf,
    start,
)

from paxos.services.disks import append, decide

# Races.


def test_eight_processes_race_twenty_times(tmp_path):
    shelves = [shelf(tmp_path / str(number)) for number in range(20)]
    for number, values in enumerate(race(shelves)):
        assert len(values) == 1
        assert values <= {f"{name}'s {number}" for name in NAMES}


def test_who_reads_before_writing_is_told_something_else(tmp_path):
    """So the race above is able to fail."""
    for batch in range(10):
        shelves = [shelf(tmp_path / f"{batch} {number}") for number in range(10)]
        if any(len(values) > 1 for values in race(shelves, broken="read first")):
            return
    pytest.fail("100 races without the rule, and everybody agreed")


def test_four_processes_append_at_the_same_time(tmp_path):
    paths, pipes, running = shelf(tmp_path, many=True), [], []
    for name in NAMES[:4]:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        pipes.append(ours)
        running.append(start(appender, name, paths, theirs))
    logs = sorted((pipe.recv() for pipe in pipes), key=len)
    for process in running:
        process.join()
    whole = [one.text for one in append(paths, "last", ["end"])]
    assert all(log == whole[: len(log)] for log in logs)
    assert sorted(whole) == sorted(["end", *(f"{n} {i}" for n in NAMES[:4] for i in range(5))])
    assert all(
        [t for t in whole if t[:3] == n[:3]] == [f"{n} {i}" for i in range(5)] for n in NAMES[:4]
    )


def test_three_commands_at_the_same_time_say_the_same(tmp_path):
    paths = shelf(tmp_path)
    command = [sys.executable, "-m", "paxos", "disk", "decide", *map(str, paths)]
    running = [
        subprocess.Popen(
            [*command, f"--name={name}", f"--propose={name}"], stdout=subprocess.PIPE, text=True
        )
        for name in NAMES[:3]
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert len(said) == 1 and said.pop().strip() in NAMES[:3]


# Deaths.


def told(diary):
    return {line[2] for line in diary.lines() if line[0] == "told"}


@pytest.mark.parametrize("kills", [200, pytest.param(5000, marks=pytest.mark.nightly)])
def test_two_hundred_are_killed_and_nothing_is_lost(tmp_path, kills):
    killed, after, number, chance = 0, 0, 0, random.Random(4)
    while killed < kills:
        number += 1
        diary, deaths = campaign(tmp_path / str(number), chance)
        killed += deaths
        assert [line for line in diary.lines() if line[0] == "back"] == []
        values = told(diary)
        assert len(values) == 1, f"seed 4, campaign {number}: {values}"
        paths = sorted((tmp_path / str(number)).glob("disk*"))
        assert {decide(paths, "last", "something else")} == values
        names = [line[1] for line in diary.lines() if line[0] == "told"]
        assert {*names} == {*NAMES[:4]}  # in the end all were told
        after += len(names) - len({*names})
    assert after, "nobody ever came back who had been told before"


def test_without_recovery_a_block_goes_back(tmp_path):
    """So the deaths above are able to fail."""
    for number in range(20):
        diary, _ = campaign(tmp_path / str(number), random.Random(number), broken="no recovery")
        if any(line[0] == "back" for line in diary.lines()):
            return
    pytest.fail("20 campaigns without recovery, and no block went back")


@pytest.mark.parametrize(("broken", "decisions"), [(None, 1), ("no recovery", 2)])
def test_what_was_told_before_a_death_is_told_after_it(tmp_path, broken, decisions):
    paths = shelf(tmp_path)
    diary = Diary(tmp_path / "diary")
    for wish in ("Ann", "Ben"):
        process = start(dies_when_told, wish, paths, diary, broken)
        process.join()
        assert process.exitcode == -9
    assert len(told(diary)) == decisions
