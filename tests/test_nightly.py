"""The long campaigns, for `make nightly`: the same claims as by day, over many more worlds."""

import pytest
from worlds import STORMS

from paxos import outcome, trace
from paxos.drivers.simulator import simulate
from paxos.figures import spacetime, views

pytestmark = pytest.mark.nightly
EACH = 2000


@pytest.mark.parametrize("protocol", ["static", "log"])
@pytest.mark.parametrize("storm", STORMS)
def test_nothing_breaks_in_thousands_of_worlds(storm, protocol):
    decided = 0
    for seed in range(10_000, 10_000 + EACH):
        run = simulate(protocol=protocol, seed=seed, **STORMS[storm])
        assert outcome.broken(run) == [], f"seed {seed}"
        decided += bool(outcome.chosen(run))
    assert decided > 0.9 * EACH


@pytest.mark.parametrize("storm", STORMS)
def test_every_run_can_be_written_read_and_drawn(storm):
    for seed in range(10_000, 10_200):
        run = simulate(seed=seed, **STORMS[storm])
        assert trace.loads(trace.dumps(run)) == run, f"seed {seed}"
        for draw in (views.box, views.phases, spacetime.draw):
            assert draw(run).faults == (), f"seed {seed}"
