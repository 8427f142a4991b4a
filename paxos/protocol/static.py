"""Static Paxos: acceptors answer. Each is a process that remembers.

A phase, with each acceptor: send it your request, and it answers by its rules, which are
in `acceptor.py`. So there is nothing to carry out here: what the proposer sends to
"acceptors" goes to them as it is. Compare `disk.py` and `passive.py`.
"""

from . import acceptor, learner, proposer
from .quorum import Flexible

STEPS = {"proposer": proposer.step, "acceptor": acceptor.step, "learner": learner.step}


def start(role: str, identity: str, quorums: Flexible, *_: object) -> object:
    """The state in which a role opens, and comes back if nothing was saved."""
    match role:
        case "acceptor":
            return acceptor.Acceptor()
        case "learner":
            return learner.Learner(quorums)
    return proposer.Proposer(identity, quorums)
