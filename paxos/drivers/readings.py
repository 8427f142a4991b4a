"""A run in a small world of lists, as the simulator would have recorded it.

There a list shows what it holds, and a client reads it: one move. Here the client has to fetch, and the
fetch must reach the list while it holds just that.
"""

from collections.abc import Sequence
from typing import Any

from ..protocol.lists import Amiss
from ..protocol.messages import Appended, Entries, Fetch
from ..trace import Header, Sent, Trace
from .nodes import Move
from .replay import Replay
from .simulator import World


class Reading(Replay):
    """Clients and lists that do what a search has found, each reading with its fetch."""

    def __init__(self, world: World, moves: Sequence[Move], acks: bool) -> None:
        super().__init__(world)
        self.moves, self.acks = moves, acks
        self.letters: dict[int, Sent] = {}  # answers to the fetches of moves to come, by number
        self.spent = set[int]()
        self.online = set[str]()
        for node in self.nodes.values():
            self.open(node)
        quorum = self.roles["list"][: self.quorums.phase1]
        asked = {one.node for one in moves if one.event and not one.event[0]}
        self.first = {  # the lists were empty, and never again
            client: [self.served_to(client, name) for name in quorum if client in asked]
            for client in self.roles["client"]
        }

    def run(self) -> Trace:
        for number, move in enumerate(self.moves):
            self.follow(number, move)
        return self.recorded()

    def recorded(self) -> Trace:
        roles = tuple((node.name, node.role) for node in self.nodes.values())
        header = Header(self.world.protocol, self.world.seed, self.quorums, roles)
        return Trace(header, tuple(self.records))

    def follow(self, number: int, move: Move) -> None:
        """One move of the search, with all that it takes here."""
        node = self.nodes[move.node]
        if node.role == "list":
            self.listed(number, move)
            return
        if move.event is None:
            self.online.discard(node.name)
            self.take(move)
            return
        sender, message = move.event
        if isinstance(message, Entries):
            self.read(number, move)
            return
        if not sender and node.name not in self.online:
            self.online.add(node.name)
            for letter in self.first[node.name]:
                self.answered(letter)
        if not sender:
            self.heed(node)
        self.take(move)

    def listed(self, number: int, move: Move) -> None:
        """A list grows, or does not; then it serves those who will read just that."""
        assert move.event is not None
        sender, request = move.event
        if isinstance(request, Amiss):
            if isinstance(request.request, Fetch):
                return  # see `read`
            self.amiss, request = request, request.request
        self.take(Move(move.node, (sender, request)))
        self.amiss = None
        held = self.nodes[move.node].state.things[1:]  # but for its name
        for later, other in enumerate(self.moves[number + 1 :], number + 1):
            event: Any = other.event or ("", None)
            shown = isinstance(event[1], Entries) and event[1].entries[1:] == held
            if shown and event[0] == move.node and later not in self.letters:
                self.letters[later] = self.served_to(other.node, move.node)

    def read(self, number: int, move: Move) -> None:
        """A client reads a list."""
        assert move.event is not None
        name, message = move.event
        letter = self.letters.get(number)
        if not message.entries:  # the fetch has failed
            self.amiss = Amiss(Fetch(0), len(self.nodes[name].state.things))
            letter = self.served_to(move.node, name)
            self.amiss = None
        assert letter is not None, f"{move.node} reads what {name} never held"
        self.answered(letter)

    def answered(self, letter: Sent) -> None:
        sender = self.mail[letter.id][0]
        self.take(Move(letter.to, (sender, letter.message)))

    def served_to(self, client: str, name: str) -> Sent:
        """Let a fetch of the client reach the list now: the answer."""
        done = self.pending(name, client, Appended)
        if done and not self.acks:
            self.spent.add(done[0].id)
            self.take(Move(client, (name, done[0].message)))
        fetches = self.pending(client, name, Fetch) or self.sent(client, name, Fetch)[-1:]
        self.spent.add(fetches[0].id)
        self.take(Move(name, (client, fetches[0].message)))
        return self.sent(name, client, Entries)[-1]

    def sent(self, sender: str, to: str, kind: type) -> list[Sent]:
        """The messages of a kind that one has sent to another."""
        mail = [one for who, _, one in self.mail.values() if who == sender and one.to == to]
        return [one for one in mail if isinstance(one.message, kind)]

    def pending(self, sender: str, to: str, kind: type) -> list[Sent]:
        return [one for one in self.sent(sender, to, kind) if one.id not in self.spent]

    def heed(self, node: Any) -> None:
        """Before a client asks again, enough lists must have answered it."""
        for name in self.roles["list"]:
            me = node.state
            if me.member.proposer.phase == "idle" or me.member.proposer.waits:
                return
            if me.reaches(me.heard):
                return
            if name not in me.heard and (old := self.sent(name, node.name, Entries)):
                self.answered(old[-1])

    def spread(self) -> None:
        """Whoever wants to know reads what there is."""
        for node in self.nodes.values():
            for name in self.roles["list"] if node.role == "client" else ():
                behind = len(self.nodes[name].state.things) > node.state.view(name).end
                if node.name in self.online and behind and not node.state.member.settled:
                    self.answered(self.served_to(node.name, name))
