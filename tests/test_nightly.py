"""The long campaigns, for `make nightly`: the same claims as by day, over many more worlds."""

import pytest
from worlds import PROTOCOLS, storms, told

from paxos import cli, outcome, trace
from paxos.drivers.simulator import simulate

pytestmark = pytest.mark.nightly
EACH = {"acceptor": 2000, "disk": 500, "list": 500}
STORMY = [(protocol, storm) for protocol in PROTOCOLS for storm in storms(protocol)]


@pytest.mark.parametrize(("protocol", "storm"), STORMY)
def test_nothing_breaks_in_thousands_of_worlds(protocol, storm):
    decided, each = 0, EACH[PROTOCOLS[protocol].remembers]
    for seed in range(10_000, 10_000 + each):
        run = simulate(protocol=protocol, seed=seed, **storms(protocol)[storm])
        assert outcome.broken(run) == [], f"seed {seed}"
        decided += bool(told(run))
    assert decided > 0.75 * each


@pytest.mark.parametrize(("protocol", "storm"), STORMY)
def test_every_run_can_be_written_read_and_drawn(protocol, storm):
    for seed in range(10_000, 10_030):
        run = simulate(protocol=protocol, seed=seed, **storms(protocol)[storm])
        assert trace.loads(trace.dumps(run)) == run, f"seed {seed}"
        for view in cli.VIEWS[protocol]:
            assert cli.draw(run, view).faults == (), f"seed {seed}, {view}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_is_stuck_for_ever(protocol):
    """However bad the weather was: who wished something gets an answer in the end."""
    heavy = {"loss": 0.1, "duplicate": 0.1, "crash": 0.03, "partition": 0.05, "outages": 0.03}
    for seed in range(300):
        run = simulate(protocol=protocol, seed=seed, until=5000, **heavy)
        states = {name: getattr(its, "member", its) for name, its in outcome.final(run).items()}
        asks = run.of(PROTOCOLS[protocol].asks)
        busy = [name for name in asks if waits(states[name])]
        assert not busy, f"seed {seed}: {busy}"


def waits(member):
    return member.busy if hasattr(member, "busy") else member.phase not in ("idle", "done")
