"""The states of a small world as numbers, and tables of what each node can do next.

All that happened to a node is its *column*: its state, all that it ever sent, and all that it ever
put on record. Columns get small numbers, and a state of the world is one integer made of them. What
a node can do depends on its own column and on what it hears of others, so it is worked out once for
each such pair, by the very `step` that runs everywhere else, and then looked up.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import factorial, prod
from typing import Any

from .nodes import (
    BEYOND,
    Column,
    Move,
    Record,
    World,
    asked,
    check_world,
    effects_of,
    is_message,
    mentions,
    rename,
    unprompted,
)

BITS = 32  # of a state of the world, for each column
HALF = 1 << BITS // 2
MASK, SENT = (1 << BITS) - 1, HALF - 1 << BITS // 2

Way = tuple[int, bool, tuple[str, ...]]  # see `ways` and `moves`
# (moves, state then, effects, step invariants broken)
Outcome = tuple[tuple[Move, ...], Any, tuple[Any, ...], tuple[str, ...]]


class Distinct(Exception):
    """A run under other names cannot be followed: names are remembered, or the nodes not alike."""


class Columns:
    """The tables of one world."""

    def __init__(self, world: World, symmetry: bool, shortcuts: bool) -> None:
        check_world(world)
        self.world, self.shortcuts = world, shortcuts
        self.symmetry = symmetry and bool(len(world.alike) > 1 or world.renamings)
        self.names, self.nodes = tuple(world.nodes), tuple(world.nodes.values())
        self.first_alike = len(self.names) - len(world.alike)
        self.addresses = {*self.names, *(node.address for node in self.nodes if node.address)}
        self.neighbours()
        self.columns: dict[int, Column] = {}
        self.numbers: dict[Column, int] = {}
        self.sent: dict[
            Any, list[int]
        ] = {}  # what was sent -> its number, how many columns have it
        self.said: dict[int, int] = {}  # for each column the number of what is on record in it
        self.records: dict[frozenset[Any], int] = {}
        self.naming: set[int] = set()  # columns that mention one of those alike by its name
        self.voices: list[tuple[Any, ...]] = []  # what can be heard of a column
        self.messages: dict[tuple[Any, ...], int] = {}  # their numbers
        self.ears = tuple(dict[int, int]() for _ in self.names)  # column -> voice
        self.tables = tuple(dict[int, list[Way]]() for _ in self.names)  # see `ways`
        self.shared: dict[Any, list[Way]] = {}  # the same for all those alike
        self.near = tuple(dict[int, list[Way]]() for _ in self.names)  # see `moves`
        self.left: dict[tuple[int, int, int, int], int] = {}  # see `sifted`
        self.ordered: dict[tuple[int, int], int] = {}  # see `order`
        self.rests: dict[tuple[int, int], int] = {}  # see `form`
        self.orders: dict[int, int] = {}  # see `weight`
        self.other_names: dict[tuple[int, int], int] = {}
        self.renamings = len(world.renamings) + 1
        first = (self.number(Column(node.state)) for node in self.nodes)
        self.first = sum(number << shift for number, shift in zip(first, self.shift, strict=False))

    def neighbours(self) -> None:
        """Who hears whom, and where in a state the columns are."""
        # The lowest four bits of a state count the crashes; those alike are highest.
        self.shift = tuple(4 + BITS * i for i in range(len(self.names) + 1))
        self.low = self.shift[self.first_alike]
        place = {name: i for i, name in enumerate(self.names)}
        self.hears = tuple(
            tuple(place[one] for one in (self.names if node.hears is None else node.hears))
            for node in self.nodes
        )
        self.sieves = tuple(  # (whose column, listener) of messages that i's step may make vain
            tuple(
                (at, to)
                for j in heard
                for at, to in ((i, j), (j, i))
                if self.shortcuts and self.nodes[to].forgets
            )
            for i, heard in enumerate(self.hears)
        )
        # The part of a state on which the ways of a node depend: its column, and what others sent.
        self.hearing = tuple(
            sum(SENT << self.shift[j] for j in heard if j != i) | MASK << self.shift[i]
            for i, heard in enumerate(self.hears)
        )
        # The part on which its moves depend; 0: so much that it is not worth looking them up.
        self.mask = tuple(
            self.hearing[i]
            if not self.sieves[i]
            else sum(MASK << self.shift[j] for j in {i, *heard})
            if len({i, *heard} & {*range(self.first_alike, len(self.names))}) < 2
            else 0
            for i, heard in enumerate(self.hears)
        )

    def number(self, column: Column) -> int:
        """The number of a column: what was sent in the upper half, the rest in the lower half."""
        found = self.numbers.get(column)
        if found is None:
            same = self.sent.setdefault(column.sent, [len(self.sent), 0])
            found = self.numbers[column] = same[0] * HALF + same[1]
            same[1] += 1
            if max(same) >= HALF:
                raise ValueError("the world is too large: more columns than a state has room for")
            self.columns[found] = column
            self.said[found] = self.records.setdefault(column.said, len(self.records))
            if self.world.alike and mentions(tuple(column), self.world.alike):
                self.naming.add(found)
        return found

    def at(self, state: int, i: int) -> int:
        """The number of the column of node i."""
        return state >> self.shift[i] & MASK

    def put(self, state: int, i: int, number: int) -> int:
        return state + (number - self.at(state, i) << self.shift[i])

    def record(self, state: int) -> Record:
        """What each node has put on record."""
        return {name: self.columns[self.at(state, i)].said for i, name in enumerate(self.names)}

    # What a node can do.

    def ear(self, i: int, state: int) -> tuple[int, ...]:
        """What node i may hear of each of the others: numbers of tuples of messages."""
        voices, shift = self.ears[i], self.shift
        try:
            return tuple([voices[state >> shift[j] & MASK] for j in self.hears[i]])
        except KeyError:
            return tuple([self.voice(self.at(state, j), i) for j in self.hears[i]])

    def voice(self, number: int, listener: int) -> int:
        """What the listener may hear of this column."""
        names = (self.names[listener], self.nodes[listener].address)
        heard = [message for to, message in self.columns[number].sent if to in names]
        said = tuple(sorted(heard, key=repr))
        found = self.ears[listener][number] = self.messages.setdefault(said, len(self.voices))
        if found == len(self.voices):
            self.voices.append(said)
        return found

    def outcomes(self, i: int, state: int, crash: bool = False) -> Iterator[Outcome]:
        """Every way in which node i can go on."""
        node, name = self.nodes[i], self.names[i]
        before = self.columns[self.at(state, i)].state
        heard = [
            (self.names[j], message)
            for j, voice in zip(self.hears[i], self.ear(i, state), strict=True)
            for message in self.voices[voice]
        ]
        ways: dict[Any, tuple[Move, ...]] = {before: ()}  # by receipts without effect
        queue = [before]
        for now in queue:
            events = (*heard, *unprompted(node, name, now))
            if crash:
                for event in (None, *events):
                    for done, after, effects in node.crashes(now, event):
                        yield (*ways[now], Move(name, event, done)), after, tuple(effects), ()
            for event in events:
                result = asked(node, name, now, event)
                if result is BEYOND:
                    continue
                after, effects = effects_of(name, result, self.addresses)
                broken = tuple(n for n, holds in node.kept.items() if not holds(now, after))
                if (effects or broken or not self.shortcuts) and not crash:
                    yield (*ways[now], Move(name, event)), after, effects, broken
                if self.shortcuts and not effects and after not in ways:
                    ways[after] = (*ways[now], Move(name, event))
                    queue.append(after)

    def grown(self, number: int, now: Any, effects: tuple[Any, ...]) -> int:
        """The column after a step to the state `now` with these effects."""
        old = self.columns[number]
        sent = {effect for effect in effects if is_message(effect)}
        said = old.said.union(effect for effect in effects if effect not in sent)
        return self.number(Column(now, old.sent | sent, said))

    def sifted(self, i: int, state: int) -> int:
        """The state after a step of node i, without messages that are now in vain for ever."""
        shift = self.shift
        for at, listener in self.sieves[i]:
            number, ear = state >> shift[at] & MASK, state >> shift[listener] & MASK
            key = (number, at, listener, ear)
            left = self.left.get(key)
            if left is None:
                old, now, node = self.columns[number], self.columns[ear].state, self.nodes[listener]
                vain = set()
                for to, message in old.sent:
                    here = to == self.names[listener]
                    result = node.step(now, (self.names[at], message)) if here else BEYOND
                    if result is not BEYOND and result[0] == now and not tuple(result[1]):
                        vain.add((to, message))
                left = self.left[key] = self.number(old._replace(sent=old.sent - vain))
            if left != number:
                state += left - number << shift[at]
        return state

    def ways(self, i: int, state: int, crash: bool) -> list[Way]:
        """What node i can become: (its column, is anything new on record, step invariant broken)."""
        near = (state & self.hearing[i]) + crash
        found = self.tables[i].get(near)
        if found is None:
            number = state >> self.shift[i] & MASK
            key = (min(i, self.first_alike), crash, number, self.ear(i, state))
            found = self.shared.get(key)
            if found is None:
                found = self.shared[key] = self.all_ways(i, state, crash)
            self.tables[i][near] = found
        return found

    def all_ways(self, i: int, state: int, crash: bool) -> list[Way]:
        """The same, worked out."""
        number, ways = self.at(state, i), dict[Any, Way]()
        for _, now, effects, broken in self.outcomes(i, state, crash):
            new = self.grown(number, now, effects)
            if new != number or broken:
                ways.setdefault((new, broken), (new, self.said[new] != self.said[number], broken))
        return list(ways.values())

    def moves(self, i: int, state: int, crash: bool) -> list[Way]:
        """What node i can make of the state: (difference, anything new?, step invariant broken)."""
        moves = self.ways(i, state, crash)
        if moves:
            shift, sifts = self.shift[i], bool(self.sieves[i])
            number, ways = state >> shift & MASK, moves
            moves = []
            for new, news, broken in ways:
                then = state + (new - number << shift)
                then = self.sifted(i, then) if sifts else then
                moves.append((then - state + crash, news, broken))
        if self.mask[i]:
            self.near[i][(state & self.mask[i]) + crash] = moves
        return moves

    def steps(self, state: int) -> Iterator[tuple[tuple[Move, ...], int, tuple[str, ...]]]:
        """Every step from a state: (moves, state then, step invariants broken)."""
        for crash in (False, True) if state & 15 < self.world.crashes else (False,):
            for i in range(len(self.names)):
                for moves, now, effects, broken in self.outcomes(i, state, crash):
                    new = self.put(state, i, self.grown(self.at(state, i), now, effects))
                    new = self.sifted(i, new)
                    if new != state or broken:
                        yield moves, new + crash, broken

    def step_to(self, state: int, goal: int, rule: str) -> tuple[int, tuple[Move, ...]]:
        """A step to a state that is the goal but for names, and that breaks this rule, if any."""
        for moves, new, broken in self.steps(state):
            if self.canonical(new) == goal and (not rule or rule in broken):
                return new, moves
        raise Distinct

    def everything(self, state: int) -> Mapping[str, Column]:
        """The column of each node."""
        return {name: self.columns[self.at(state, i)] for i, name in enumerate(self.names)}

    def news(self, state: int) -> tuple[int, ...]:
        """The numbers of what each node has put on record."""
        return tuple(self.said[self.at(state, i)] for i in range(len(self.names)))

    # Which states differ only by names.

    def canonical(self, state: int) -> int:
        """The one state that stands for all those that a renaming makes of this one."""
        if not self.symmetry or (self.naming and self.names_one(state)):
            return state
        alike = state >> self.low
        order = self.ordered.get((0, alike))
        if order is None:
            order = self.order(0, alike)
        best = state + (order - alike << self.low)
        for k in range(1, self.renamings):
            form = self.form(k, state)
            best = form if form < best else best
        return best

    def names_one(self, state: int) -> bool:
        return any(self.at(state, i) in self.naming for i in range(len(self.names)))

    def form(self, k: int, state: int) -> int:
        """The state under renaming k of values (0: none), the columns of those alike in order."""
        rest, alike = state & (1 << self.low) - 1, state >> self.low
        found = self.rests.get((k, rest)) if k else rest
        if found is None:
            found = rest & 15
            for i in range(self.first_alike):
                found += self.renamed(k, self.at(rest, i)) << self.shift[i]
            self.rests[k, rest] = found
        order = self.ordered.get((k, alike))
        return found | (self.order(k, alike) if order is None else order) << self.low

    def order(self, k: int, alike: int) -> int:
        """The columns of those alike, renamed and in order."""
        count = len(self.world.alike)
        columns = [alike >> BITS * i & MASK for i in range(count)]
        columns = sorted(self.renamed(k, column) if k else column for column in columns)
        found = sum(column << BITS * i for i, column in enumerate(columns))
        self.ordered[k, alike] = found
        return found

    def renamed(self, k: int, column: int) -> int:
        if (k, column) not in self.other_names:
            new = rename(self.columns[column], self.world.renamings[k - 1])
            self.other_names[k, column] = self.number(new)
        return self.other_names[k, column]

    def weight(self, state: int) -> int:
        """How many states of the world this one stands for."""
        if not self.symmetry or (self.naming and self.names_one(state)):
            return 1
        alike = state >> self.low
        orders = self.orders.get(alike)
        if orders is None:
            count = len(self.world.alike)
            same = Counter(alike >> BITS * i & MASK for i in range(count))
            orders = factorial(count) // prod(map(factorial, same.values()))
            self.orders[alike] = orders
        if self.renamings == 1:
            return orders
        return orders * len({self.form(k, state) for k in range(self.renamings)})
