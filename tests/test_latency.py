"""The predictions of MetaSync's figures: fitted to one column, and to nothing else."""

import pytest

from paxos.drivers import latency
from paxos.drivers.simulator import simulate
from paxos.figures import series


def test_one_proposer_alone_takes_four_requests_one_after_the_other():
    wishes = [(latency.START, "ann", "Ann")]
    run = simulate(
        protocol="passive", proposers=1, acceptors=1, learners=0, jitter=0, wishes=wishes
    )
    assert latency.waited(run) == 2 * latency.REQUESTS


def test_the_first_column_is_fitted_and_all_five_is_not():
    said = latency.predicted()
    for name, its in latency.PROPOSERS.items():
        assert (said[name][0] == pytest.approx(its[0])) == (name != latency.ALL)


def test_a_measurement_that_changes_changes_only_its_own_prediction(monkeypatch):
    before = latency.predicted.__wrapped__()
    monkeypatch.setitem(latency.PROPOSERS, "Baidu", (28.6, 1, 1, 1, 1))
    after = latency.predicted.__wrapped__()
    assert after["Baidu"] == pytest.approx([2 * one for one in before["Baidu"]])
    assert after["Box"] == before["Box"]


def test_nothing_but_the_first_column_is_read(monkeypatch):
    said = latency.predicted.__wrapped__()
    for name, its in latency.PROPOSERS.items():
        first = 99.0 if name == latency.ALL else its[0]
        monkeypatch.setitem(latency.PROPOSERS, name, (first, 99, 99, 99, 99))
    assert latency.predicted.__wrapped__() == said


def test_a_crowd_takes_longer_and_a_slow_quorum_sets_the_pace():
    assert latency.simulated(1) < latency.simulated(3)
    assert latency.simulated(1, (1, 1, 9)) < 1.5 * latency.simulated(1, (1, 1, 1))
    assert latency.simulated(1, (1, 9, 9)) > 3 * latency.simulated(1, (1, 1, 1))


def test_where_two_lines_cross():
    assert latency.crossing((1.0, 2.0, 3.0), 2.5) == 3
    assert latency.crossing((1.0, 2.0), 2.5) is None


def test_the_charts_have_no_fault_and_tell_their_numbers():
    drawn = series.draw(latency.DISKS, latency.on_disks(), "clients", "title", latency.LISTS)
    assert drawn.faults == ()
    assert "Dropbox: measured 1.50, 1.79" in drawn.svg
