"""What stands in a list, as bytes: the same for every reader, whatever the bytes."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paxos.client import NAME
from paxos.drivers import wire
from paxos.protocol.ballot import Ballot
from paxos.protocol.lists import Entry, Genesis
from paxos.protocol.log import BATCH
from paxos.protocol.messages import Accept, Command, InSlot, Prepare

LOG, LIMIT = "0" * 32, 1 << 20
texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(0, 1 << 70)
ballots = st.builds(Ballot, numbers, texts)
commands = st.builds(Command, texts, numbers, texts)
batches = st.lists(commands, max_size=3).map(tuple)
requests = st.one_of(
    commands,
    st.builds(Prepare, ballots),
    st.builds(InSlot, numbers, st.builds(Prepare, ballots)),
    st.builds(InSlot, numbers, st.builds(Accept, ballots, batches)),
)
things = st.one_of(
    st.builds(Entry, texts, numbers, requests, texts),
    st.builds(Genesis, texts, st.lists(texts).map(tuple), texts, numbers, numbers),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(
        ["kind", "author", "number", "content", "log", "slot", "ballot", "value", "x"]
    ), inner | st.sampled_from(list(wire.KINDS))),
)  # fmt: skip


@given(st.binary())
@example(b"paxos/1 ")
@example(b"paxos/1 \xff\xfe{\x00}\x00")
@example(b'paxos/1 {"kind":"Command","client":"\\ud800","number":0,"text":""}')
@example(b"paxos/1 " + b"[" * 100_000)
@example(b"paxos/1 " + b"9" * 10_000)
@example(b"paxos/999999999 x")
def test_no_bytes_stop_a_reader_with_an_error(raw):
    for one in (raw, b"paxos/1 " + raw, b"paxos/2 " + raw):
        thing = wire.unpack(one, LOG, LIMIT)
        assert hash(thing) is not None and thing == wire.unpack(one, LOG, LIMIT)
        wire.Digest().add([thing])


@given(anything)
def test_no_json_stops_a_reader_with_an_error(data):
    thing = wire.unpack(b"paxos/1 " + json.dumps(data).encode(), LOG, LIMIT)
    assert isinstance(thing, Entry | Genesis)
    assert wire.unpack(wire.pack(thing), LOG, LIMIT) is not None


@given(things)
def test_what_is_packed_is_unpacked_as_it_was(thing):
    assert wire.unpack(wire.pack(thing), LOG, LIMIT) == thing


@given(st.binary())
@example(b"\0")
@example(b"\0AAAA")
@example("é".encode())
def test_a_text_stands_for_any_bytes(raw):
    assert wire.data(wire.text(raw)) == raw
    wire.text(raw).encode()


@given(st.text())
def test_any_text_of_another_client_is_bytes(text):
    assert isinstance(wire.data(text), bytes)


def test_what_is_longer_than_the_genesis_allows_is_nothing_of_ours():
    raw = wire.pack(Entry("ann", 0, Command("ann", 0, "x" * 100), LOG))
    assert isinstance(wire.unpack(raw, LOG, len(raw)), Entry)
    assert "foreign" in wire.unpack(raw, LOG, len(raw) - 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"paxos/2 {}",
        b"paxos/1 {}",
        b"paxos/1 null",
        b'paxos/1 {"kind":"Checkpoint"}',
        wire.pack(Entry("ann", 0, InSlot(0, Accept(Ballot(1, "ann"), ("no command",))), LOG)),
        wire.pack(Entry("ann", 0, "no request", LOG)),
        wire.pack(Entry("ann", 0, Command("\ud800", 0, ""), LOG)),
    ],
)
def test_what_is_of_a_newer_version_stops_the_reader(raw):
    thing = wire.unpack(raw, LOG, LIMIT)
    assert (thing.content, thing.log) == (wire.TOO_NEW, LOG)
    with pytest.raises(ValueError, match="newer version"):
        wire.genesis(raw)


@pytest.mark.parametrize(
    "odd",
    [
        Genesis("s1", ("s1", "s2"), LOG, version=2),
        Genesis("s3", ("s1", "s2"), LOG),
        Genesis("s1", ("s1", "s1"), LOG),
        Genesis("s1", (), LOG),
    ],
)
def test_a_genesis_that_cannot_be_is_refused(odd):
    with pytest.raises(ValueError, match="newer version"):
        wire.genesis(wire.pack(odd))


def test_a_genesis_is_found_only_where_one_is():
    assert wire.genesis(wire.pack(its := Genesis("s1", ("s1",), LOG))) == its
    assert wire.genesis(b"a photo") is None
    assert wire.genesis(wire.pack(Entry("ann", 0, Command("ann", 0, ""), LOG))) is None


def test_a_digest_tells_what_was_read_from_all_else():
    found = [["a", "b"], ["ab"], ["b", "a"], ["a"], [], ["a", Genesis("s1", ("s1",))]]
    assert len({wire.Digest().add(one).hex for one in found}) == len(found)
    assert wire.Digest().add(["a"]).add(["b"]).hex == wire.Digest().add(["a", "b"]).hex


def test_as_many_commands_as_an_entry_takes_fit_with_the_longest_names():
    """Or the entry would be longer than the genesis allows, and every reader would skip it."""
    assert wire.BATCHED == BATCH
    most = (LIMIT - wire.OVERHEAD) // wire.BATCHED
    name = "\U0001f697" * 64
    assert NAME.fullmatch(name) and name.isprintable()
    author = f"{name}.{'f' * 32}"
    commands = tuple(Command(author, 1 << 60, "x" * (most - 2)) for _ in range(BATCH))
    ballot = Ballot(1 << 60, author)
    raw = wire.pack(Entry(author, 1 << 60, InSlot(1 << 60, Accept(ballot, commands)), LOG))
    assert LIMIT - wire.OVERHEAD < len(raw) <= LIMIT
