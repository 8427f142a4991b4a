"""The simulator with its schedule given from outside: by a search, or by the trace of a run."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..protocol.events import Answer, Effect
from ..protocol.kinds import PROTOCOLS
from ..protocol.lists import Amiss
from ..protocol.messages import Accepted
from ..trace import TICK, Crash, Header, Open, Sent, Step, Trace, identity
from .nodes import Move
from .simulator import Node, Simulation, World


class Replay(Simulation):
    """Nodes that do what they are told, in the order in which they are told."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.mail: dict[int, tuple[str, int, Sent]] = {}  # id -> (sender, when, message)
        self.busy = dict.fromkeys(self.nodes, -TICK)  # when each node last did something
        self.cut_short: int | None = None
        self.as_named: str | None = None
        self.used: set[str] = set()  # identities: nobody may have one that somebody had before
        self.amiss: Amiss | None = None  # how the next request is served badly

    def identity(self, node: Node) -> str:
        """The one given; else a name is enough, with a mark for each life."""
        lives = sum(isinstance(one, Crash) and one.node == node.name for one in self.records)
        return node.name + "'" * lives if self.as_named is None else self.as_named

    def post(self, sender: str, one: Sent) -> None:
        self.mail[one.id] = (sender, self.now, one)

    def served(self, node: Node, request: Any) -> Any:
        return self.amiss or request

    def crash_point(self, node: Node, effects: Sequence[Effect]) -> tuple[int, float | None] | None:
        return None if self.cut_short is None else (self.cut_short, None)

    def take(self, move: Move) -> None:
        """One move of a search, as soon as it can be: messages take time, and so do nodes."""
        node, letter = self.nodes[move.node], None
        if move.event and move.event[0]:
            letter = self.letter(move.node, *move.event)
            self.now = max(self.now, self.mail[letter.id][1] + TICK)
        self.now = max(self.now, self.busy[node.name] + TICK // 2)
        self.cut_short = move.done
        if letter and move.event:
            self.deliver(move.event[0], letter)
        elif move.event:
            self.step(node, move.event[1])
        else:
            self.crash(node, None)
        self.cut_short = None
        if not node.up:
            self.now += TICK
            self.open(node)
        self.busy[node.name] = self.now

    def letter(self, to: str, sender: str, message: Any) -> Sent:
        """The message that arrives."""
        fits = [
            one
            for said_by, _, one in self.mail.values()
            if (said_by, one.to, one.message) == (sender, to, message)
        ]
        if not fits:
            raise ValueError(f"{to} cannot receive what {sender} never sent: {message}")
        # Whoever comes back under its name asks again in the same words.
        since = max(self.nodes[sender].since, self.nodes[to].since)
        if not since:
            return fits[0]
        heard = {one.received for one in self.records if isinstance(one, Step)}
        return max(
            fits, key=lambda one: (self.origins[one.id] > since, one.id not in heard, one.id)
        )

    def ballot(self, move: Move, steps: Sequence[Step]) -> Any:
        """The ballot that a move belongs to. What a memory does, it does for a client."""
        if self.rules.remembers != "acceptor":
            mine = self.nodes[move.node].role == self.rules.asks
            who = move.node if mine or not move.event else move.event[0]
            return self.knows(self.nodes[who]).ballot
        about = [one.sent[0].message for one in steps if one.sent] + [one.event for one in steps]
        return next((getattr(one, "ballot", None) for one in about), None)

    def counts(self, one: Sent, sender: str) -> bool:
        """Would this message change anything for whoever it is for?"""
        node = self.nodes[one.to]
        event = Answer(sender, one.message)
        return bool(self.rules.steps[node.role](node.state, event) != (node.state, ()))

    def again(self, record: Any) -> None:
        """Let happen what this record says has happened."""
        self.now = record.at
        match record:
            case Open(node=name, state=state):
                given = identity(state)
                self.as_named = given if given not in self.used else None
                self.used |= {given} if given else set()
                self.boot(self.nodes[name])
            case Step():
                self.cut_short = record.done if record.done < len(record.effects) else None
                if record.received is None:
                    self.step(self.nodes[record.node], record.event)
                else:
                    sender, _, one = self.mail[record.received]
                    self.amiss = record.event if isinstance(record.event, Amiss) else None
                    self.deliver(sender, one)
            case Crash(node=name) if self.nodes[name].up:
                self.crash(self.nodes[name], None)
            case Crash():
                pass  # in the middle of the step before
            case _:
                self.records.append(record)


def in_order(world: World, moves: Sequence[Move]) -> list[Move]:
    """The same run told well: one ballot at a time, as far as cause and effect allow.

    What happens at different nodes may change places unless a message leads from one to the other.
    """
    stage = opened(world)
    after, said = list[set[int]](), dict[int, int]()  # moves before each; message -> its move
    last, ballots = dict[str, int](), list[Any]()
    for number, move in enumerate(moves):
        first = len(stage.records)
        stage.take(move)
        steps = [one for one in stage.records[first:] if isinstance(one, Step)]
        heard = {said[one.received] for one in steps if one.received in said}
        after.append(heard | ({last[move.node]} if move.node in last else set()))
        said |= {one.id: number for step in steps for one in step.sent}
        last[move.node] = number
        ballots.append(stage.ballot(move, steps))
    done, order = set[int](), list[int]()
    while len(order) < len(moves):
        ready = [n for n in range(len(moves)) if n not in done and after[n] <= done]
        now = ballots[order[-1]] if order else None
        order.append(next((n for n in ready if ballots[n] == now), ready[0]))
        done.add(order[-1])
    return [moves[number] for number in order]


def opened(world: World) -> Replay:
    """A world in which everybody has started and nothing has happened yet."""
    stage = Replay(world)
    for node in stage.nodes.values():
        stage.open(node)
    return stage


def staged(world: World, moves: Iterable[Move], news: bool = False) -> Trace:
    """The trace of these moves in this world; with `news`, then every vote arrives that matters."""
    stage = opened(world)
    for move in in_order(world, tuple(moves)):
        stage.take(move)
    heard = {one.received for one in stage.records if isinstance(one, Step)}
    for id, (sender, _, one) in sorted(stage.mail.items()) if news else ():
        if id not in heard and isinstance(one.message, Accepted) and stage.counts(one, sender):
            stage.take(Move(one.to, (sender, one.message)))
    roles = tuple((node.name, node.role) for node in stage.nodes.values())
    return Trace(Header(world.protocol, world.seed, stage.quorums, roles), tuple(stage.records))


def replay(trace: Trace) -> Trace:
    """The same schedule under the rules as they are, up to the first record that is another.

    For the trace of a run of these rules the result equals the trace. Raises ValueError for a world
    that these rules refuse.
    """
    header = trace.header
    people, voters, listeners = (
        *(len(trace.of(role)) for role in PROTOCOLS[header.protocol].steps),
        0,  # where nobody's role is to listen
    )[:3]
    quorums = (header.quorums.phase1, header.quorums.phase2)
    first = [one.state for one in trace.records if isinstance(one, Open)]
    careful = any(getattr(state, "conditional", False) for state in first)
    told = any(getattr(state, "told", False) for state in first)
    world = World(header.protocol, header.seed, people, voters, listeners, *quorums)
    try:
        stage = Replay(replace(world, conditional=careful, told=told))
    except ValueError as error:
        raise ValueError(f"the rules refuse the world of this run: {error}") from None
    if header.nodes != tuple((node.name, node.role) for node in stage.nodes.values()):
        raise ValueError("the nodes of this trace have other names than those of the simulator")
    for number, record in enumerate(trace.records, 1):
        if len(stage.records) < number:
            stage.again(record)
        if stage.records[number - 1] != record:
            break
    return Trace(header, tuple(stage.records[:number]) if trace.records else ())
