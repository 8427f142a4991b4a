"""A log on every schedule: verdicts, counts, and the short cuts against the long way."""

from paxos.drivers.checker import check
from paxos.drivers.logs import Size, log_world


def test_one_command_each_is_safe():
    assert check(log_world(Size(acceptors=2, commands=1))).verdict == "safe"
