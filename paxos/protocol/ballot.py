"""A ballot numbers one attempt to get a value chosen."""

from typing import NamedTuple


class Ballot(NamedTuple):
    """One attempt, ordered by round, then by proposer, so no two are ever equal.

    `proposer` is an identity drawn anew each time a proposer opens, so a ballot is
    never used twice, not even by a machine restored from a backup. ("Paxos Made
    Simple", section 2.2: different proposals have different numbers.)
    """

    round: int
    proposer: str

    def above(self, proposer: str) -> "Ballot":
        """The next ballot of `proposer` that is higher than this one."""
        return Ballot(self.round + 1, proposer)


NO_BALLOT = Ballot(0, "")  # lower than every ballot in use
