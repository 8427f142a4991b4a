"""How many acceptors are enough: every phase-1 quorum meets every phase-2 quorum."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Flexible:
    """Quorums by size: any `phase1` promises, any `phase2` votes, of `of` acceptors.

    The sizes may differ as long as two quorums of different phases always share an
    acceptor (Howard, Malkhi, Spiegelman 2016). Raises ValueError where they could miss
    each other.
    """

    of: int
    phase1: int
    phase2: int

    def __post_init__(self) -> None:
        if self.of < 1:
            raise ValueError(f"{self.of} acceptors: nobody could vote. Use at least 1.")
        if not (1 <= self.phase1 <= self.of and 1 <= self.phase2 <= self.of):
            raise ValueError(
                f"quorums of {self.phase1} and {self.phase2} out of {self.of} "
                f"acceptors: a quorum has at least 1 and at most {self.of} members."
            )
        # Without this, phase 1 can overlook a chosen value: it asks only acceptors that
        # did not vote for it, and agreement dies.
        if self.phase1 + self.phase2 <= self.of:
            raise ValueError(
                f"quorums of {self.phase1} (phase 1) and {self.phase2} (phase 2) out "
                f"of {self.of} acceptors can miss each other: {self.phase1} + "
                f"{self.phase2} must be more than {self.of}. Raise one of them."
            )

    def reached(self, phase: Literal[1, 2], acceptors: Collection[str]) -> bool:
        """Are these acceptors (each counted once) a quorum for that phase?"""
        return len(set(acceptors)) >= (self.phase1 if phase == 1 else self.phase2)


def majority(of: int) -> Flexible:
    """More than half, in both phases: survives the most crashes, (of - 1) // 2."""
    return Flexible(of, of // 2 + 1, of // 2 + 1)
