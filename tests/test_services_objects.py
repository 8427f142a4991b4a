"""Lists in object stores: real servers on this machine, races between processes, lost answers."""

import asyncio
import contextlib
import secrets
from threading import Lock

import object_servers
import pytest
import racers
from conftest import unavailable
from faulty import Faulty, Ignoring, LooksFirst

pytest.importorskip("obstore", reason="the client library of the object stores is not installed")

from paxos.services.append_blob import AppendBlob
from paxos.services.contract import NotTheEnd, ServiceError
from paxos.services.registry import open_list

# Each kind of list: the server it is tested on, and its scheme there.
KINDS = {
    "s3": ("moto", "s3"),
    "s3-seaweed": ("seaweed", "s3"),
    "az": ("azurite", "az"),
    "az-append": ("azurite", "az-append"),
    "gs": ("gcs", "gs"),
}
FAST = [kind for kind in KINDS if kind != "s3-seaweed"]  # that one waits a second where two meet
RACE = 100  # positions


@pytest.fixture(scope="session")
def servers():
    """Starts each server when it is first needed, and once."""
    with contextlib.ExitStack() as stack:
        running = {}

        def start(name):
            if name not in running:
                try:
                    running[name] = stack.enter_context(object_servers.STARTERS[name]())
                except object_servers.Missing as why:
                    running[name] = why
            if isinstance(running[name], Exception):
                unavailable(str(running[name]), required=name != "gcs")
            return running[name]

        yield start


@pytest.fixture
def at(servers, monkeypatch):
    """The URL of a new list of a kind, with its credentials in the environment; of another port."""

    def url(kind, port=None):
        server, scheme = servers(KINDS[kind][0]), KINDS[kind][1]
        for name, its in server.variables.items():
            monkeypatch.setenv(name, its)
        its = server.at(f"place/{secrets.token_hex(8)}")
        if port:
            its = its.replace(f":{server.port}", f":{port}")
        return scheme + its[its.index(":") :]

    return url


def every(kinds=KINDS):
    return pytest.mark.parametrize("kind", kinds)


def variables(servers, kind):
    return servers(KINDS[kind][0]).variables


def tell(what):
    return asyncio.run(asyncio.wait_for(what, 60))


# One after the other.


@every()
def test_a_list_is_read_as_it_was_written(kind, at):
    url, entries = at(kind), [b"entry %d" % number for number in range(12)] + [b"x" * (1 << 20)]

    async def run():
        async with open_list(url) as its:
            await its.create()
            assert await its.fetch() == []
            assert [await its.append(one) for one in entries] == list(range(13))
            before = its.requests
            assert await its.append(b"end", at=13) == 13
            assert its.requests == before + 1  # where the end is known, one request
        async with open_list(url) as its:
            with pytest.raises(NotTheEnd):
                await its.append(b"late", at=12)
            with pytest.raises(NotTheEnd):
                await its.append(b"early", at=20)
            assert await its.fetch(11) == [*entries[11:], b"end"]
            assert await its.fetch(99) == []
            assert await its.fetch() == [*entries, b"end"]
        async with open_list(url) as its:
            assert await its.append(b"more") == 14

    tell(run())


@every([*FAST, pytest.param("s3-seaweed", marks=pytest.mark.nightly)])
def test_a_server_that_keeps_its_word_is_not_refused(kind, at):
    async def run():
        async with open_list(at(kind)) as its:
            await its.create()
            await its.check()
            assert await its.fetch() == [] and await its.hint() == 0  # nothing is left behind

    tell(run())


# Several processes.


def raced(eight, url, count, known):
    """A race for positions: one winner each, and what stands there is what the winner wrote."""

    async def read(begin):
        async with open_list(url) as its:
            await (its.create() if begin else asyncio.sleep(0))
            return await its.fetch()

    tell(read(True))
    outcome = eight.race(url, count, known)
    assert [len(its) for its in outcome.winners] == [1] * count
    assert outcome.errors == []
    won = [racers.entry(position, its[0]) for position, its in enumerate(outcome.winners)]
    assert tell(read(False)) == won


@every(FAST)
def test_each_position_has_one_creator(kind, at, eight, servers):
    raced(eight, at(kind), RACE, variables(servers, kind))


def test_each_position_has_one_creator_in_a_store_that_people_run(at, eight, servers):
    raced(eight, at("s3-seaweed"), 1, variables(servers, "s3-seaweed"))


@pytest.mark.nightly
@every()
def test_each_position_has_one_creator_for_long(kind, at, eight, servers):
    count = 20 if kind == "s3-seaweed" else 2000
    raced(eight, at(kind), count, variables(servers, kind))


@every(FAST)
def test_what_eight_append_is_there_once_each_where_they_were_told(kind, at, eight, servers):
    url = at(kind)

    async def read(begin):
        async with open_list(url) as its:
            await (its.create() if begin else asyncio.sleep(0))
            return await its.fetch()

    tell(read(True))
    said = eight.all(racers.append, url, 10, variables(servers, kind))
    got = tell(read(False))
    assert len(got) == 80
    for who, positions in enumerate(said):
        assert [got[position] for position in positions] == [
            racers.entry(number, who) for number in range(10)
        ]


# Lost answers.


@pytest.fixture
def faulty(servers):
    """Puts a server with faults before the one of a kind."""
    with contextlib.ExitStack() as stack:

        def start(kind, handler=Faulty):
            front = stack.enter_context(object_servers.serving(handler))
            front.before = servers(KINDS[kind][0]).port
            front.lock, front.script, front.late, front.writes = Lock(), [], [], 0
            return front

        yield start


@pytest.mark.parametrize(
    ("fault", "writes"),
    [("lost", 1), ("503 after", 1), ("503 before", 2), ("dropped", 2), ("429", 2), ("late", None)],
)
@every(FAST)
def test_an_append_whose_answer_is_lost_is_in_the_list_once(kind, fault, writes, at, faulty):
    front = faulty(kind)

    async def run():
        async with open_list(at(kind, front.server_port), timeout=5) as its:
            await its.create()
            await its.fetch()
            front.script[:], front.writes = [fault], 0
            assert await its.append(b"mine") == 0
            for late in front.late:
                late.join()
            if writes:  # the client library repeats nothing of its own accord
                assert front.writes == writes
            assert await its.append(b"more") == 1
            assert await its.fetch() == [b"mine", b"more"]

    tell(run())


@every(FAST)
def test_an_append_that_lost_both_the_race_and_the_answer_goes_on(kind, at, faulty):
    front = faulty(kind)

    async def run():
        async with open_list(at(kind, front.server_port), timeout=5) as its:
            await its.create()
            await its.fetch()
            front.script[:] = ["rival"]
            assert await its.append(b"mine") == 1
            assert await its.fetch() == [b"hers", b"mine"]

    tell(run())


@every(["s3", "az", "gs"])
def test_a_refusal_of_a_name_that_is_not_there_is_none(kind, at, faulty):
    front = faulty(kind)
    front.script[:] = ["409"]

    async def run():
        async with open_list(at(kind, front.server_port), timeout=5) as its:
            assert await its.append(b"mine") == 0
            assert await its.fetch() == [b"mine"]

    tell(run())


# Servers that do not keep their word.


def refused(url):
    async def run():
        async with open_list(url) as its:
            await its.create()
            with pytest.raises(ServiceError, match=r"told that|at one length") as caught:
                await its.check()
            assert caught.value.blame == "service" and not caught.value.retry
            return str(caught.value)

    return tell(run())


@every(["s3", "gs"])
def test_a_server_that_ignores_the_condition_is_refused(kind, at, faulty):
    assert "second writer" in refused(at(kind, faulty(kind, Ignoring).server_port))


def test_a_server_that_looks_before_it_writes_is_refused(at, faulty):
    assert "of 8 writers" in refused(at("s3", faulty("s3", LooksFirst).server_port))


# Errors.


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "az-append"])
def test_credentials_that_are_not_set_are_asked_for(kind, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "GOOGLE_BEARER_TOKEN", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(ServiceError, match=r"set (AWS|GOOGLE|AZURE)_") as caught:
        open_list(f"{kind}://bucket/place")
    assert caught.value.blame == "credentials"


@pytest.mark.parametrize(
    "url", ["s3:///place", "gs://bucket/x?region=y", "az://key@host/x", "az-append://container"]
)
def test_a_url_that_cannot_be_is_the_callers_fault(url):
    with pytest.raises(ServiceError) as caught:
        open_list(url)
    assert caught.value.blame == "caller"


@every(FAST)
def test_an_error_says_whose_fault_it_is_and_no_secret(kind, at, faulty, servers):
    front = faulty(kind)
    secret = [its for its in variables(servers, kind).values() if len(its) > 20]

    async def run(script, url=None):
        async with open_list(url or at(kind, front.server_port), timeout=5) as its:
            if not url:
                await its.create()
            front.script[:] = script
            with pytest.raises(ServiceError) as caught:
                await its.append(b"mine")
            assert not any(one in repr(caught.value) for one in secret)
            return caught.value

    assert tell(run(["403"])).blame == "credentials"
    gone = at(kind).replace("bucket/", "nobucket/")
    if kind != "gs":  # the emulator does not tell a bucket that is not there
        assert not tell(run([], gone)).retry
    (port,) = object_servers.free_ports(1)
    nobody = tell(run([], at(kind, port)))
    assert (nobody.blame, nobody.retry, nobody.unsure) == ("network", True, False)


# The append blob.


class Short(AppendBlob):
    BLOCKS = 5


def test_a_full_blob_is_followed_by_the_next(at):
    url = at("az-append")

    async def run():
        async with Short(url) as one, Short(url) as two, Short(url) as three:
            await one.create()
            doors = [one, two, three] * 7
            said = await asyncio.gather(
                *(its.append(b"entry %d" % number) for number, its in enumerate(doors[:3]))
            )
            for number, its in enumerate(doors[3:], 3):
                said.append(await its.append(b"entry %d" % number))
            assert sorted(said) == list(range(21))
            got = await two.fetch()
            assert [got[position] for position in said] == [b"entry %d" % n for n in range(21)]
            assert await three.fetch(7) == got[7:]
        async with Short(url) as later:
            assert await later.fetch(4) == got[4:]
            assert await later.append(b"last", at=21) == 21

    tell(run())


def test_what_is_no_entry_is_told(at):
    async def run():
        async with AppendBlob(at("az-append")) as its:
            await its.create()
            its.blob(0).append_block(b"somebody else's log, line after line\n")
            with pytest.raises(ServiceError, match="no entry"):
                await its.fetch()

    tell(run())


def test_a_list_that_was_not_created_is_no_empty_list(at):
    async def run():
        async with AppendBlob(at("az-append")) as its:
            with pytest.raises(ServiceError, match="no such list"):
                await its.fetch()

    tell(run())
