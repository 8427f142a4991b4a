"""Ten thousand seeds for each protocol, with faults; a million by night (`make nightly`).

Agreement and validity must hold in every one. How many decide at all is said, and has a floor: a
rule that decides nothing is safe, too.
"""

import re
import shlex

import campaign
import pytest

from paxos import cli
from paxos.drivers.simulator import PROTOCOLS, World, simulate
from paxos.trace import loads

# A run of a log takes several times as long as one decision, and has several in it.
SEEDS = {"static": 10_000, "disk": 10_000, "passive": 10_000} | {
    "log": 4_000,
    "disk-log": 2_000,
    "passive-log": 1_000,
    "one-list": 1_000,
}
BY_NIGHT = {"static": 350_000, "disk": 200_000, "passive": 200_000} | {
    "log": 120_000,
    "disk-log": 80_000,
    "passive-log": 49_000,
    "one-list": 1_000,
}
# Where a phase is two round trips, more runs end in the middle of one.
FLOOR = {"static": 0.999, "log": 0.999, "disk": 0.95, "disk-log": 0.95} | {
    "passive": 0.97,
    "passive-log": 0.97,
    "one-list": 0.97,
}


def hold(protocol, seeds, record_property):
    decided, failures = campaign.campaign(protocol, seeds)
    record_property("decided", decided)
    print(f"{protocol}: {decided:.2%} of {len(seeds):,} runs decide")
    assert not failures, f"{len(failures)} of {len(seeds):,} runs\n" + "\n".join(failures[:3])
    assert decided >= FLOOR[protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_breaks_in_thousands_of_runs_and_nearly_all_decide(protocol, record_property):
    hold(protocol, range(SEEDS[protocol]), record_property)


@pytest.mark.nightly
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_breaks_in_a_million_runs(protocol, record_property):
    assert sum(BY_NIGHT.values()) == 1_000_000
    first = 1_000_000  # none that was tried by day
    hold(protocol, range(first, first + BY_NIGHT[protocol]), record_property)


# What a failing seed says.


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", [7, 19, 43])
def test_the_command_replays_the_very_run_and_draws_it(
    protocol, seed, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    world = campaign.world(protocol, seed)
    for line in campaign.command(world).split("; "):
        program, *arguments = shlex.split(line)
        assert program == "paxos"
        assert cli.main(arguments) == 0
    assert loads((tmp_path / "run.ndjson").read_text("utf-8")) == simulate(world)
    assert (tmp_path / "run.svg").read_text("utf-8").startswith("<svg")


def test_the_command_names_every_fault_of_every_seed():
    """So that no world of the campaign can only be reached from Python."""
    for protocol in PROTOCOLS:
        for seed in range(len(campaign.FAULTS) * len(campaign.SERVICES)):
            world = campaign.world(protocol, seed)
            arguments = shlex.split(campaign.command(world).split(";")[0])[1:]
            options = vars(cli.parser().parse_args(arguments))
            fields = {name: value for name, value in options.items() if hasattr(World, name)}
            assert World(**fields | {"faults": ()}) == world


def test_every_fault_is_met_by_some_seed():
    worlds = [campaign.world("passive", seed) for seed in range(50)]
    for what in ("loss", "duplicate", "crash", "partition", "outages", "lost_appends"):
        assert 0.1 < sum(bool(getattr(one, what)) for one in worlds) / 50 < 0.7, what
    assert {one.conditional for one in worlds} == {False, True}
    assert len({campaign.command(one) for one in worlds}) == 50


def test_a_run_that_breaks_something_is_reported_with_its_command(monkeypatch):
    monkeypatch.setattr(campaign, "broken", lambda run: ["agreement"] * (run.header.seed == 3))
    decided, failures = campaign.chunk("passive", range(6))
    assert decided == 6
    (said,) = failures
    assert said.splitlines()[0] == "seed 3 breaks agreement. Replay it and draw it:"
    assert re.fullmatch(r"paxos run passive --seed 3 .*; paxos draw .*", said.splitlines()[1])


def test_a_campaign_is_the_sum_of_its_chunks():
    seeds = range(campaign.CHUNK + 20)
    decided, failures = campaign.campaign("static", seeds)
    assert (decided, failures) == (campaign.chunk("static", seeds)[0] / len(seeds), [])
