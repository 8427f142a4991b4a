"""Lists in folders and in SQLite: what is refused, what is gone, and who is killed in the middle."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from sequence import sequence

from paxos.services.contract import ServiceError
from paxos.services.folders import DRAFT, mirror
from paxos.services.registry import open_list

KINDS = {"file": "file://{}/list", "sqlite": "sqlite://{}/list.db"}
EVERY = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def url(kind, tmp_path):
    return KINDS[kind].format(tmp_path)


def tell(what):
    return asyncio.run(asyncio.wait_for(what, 60))


@EVERY
def test_a_list_is_read_as_it_was_written(url):
    tell(sequence(url, [b"entry %d" % number for number in range(101)] + [b"x\0" * (1 << 19)]))


@EVERY
def test_of_eight_at_once_each_has_its_entries_once(url, eight):
    import racers

    async def made():
        async with open_list(url) as its:
            await its.create()

    tell(made())
    told = eight.all(racers.append, url, 12, {})

    async def read():
        async with open_list(url) as its:
            return await its.fetch()

    found = tell(read())
    assert len(found) == 96
    for who, places in enumerate(told):
        assert [found[place] for place in places] == [racers.entry(n, who) for n in range(12)]


@EVERY
def test_a_place_that_is_not_there_is_no_empty_list(url):
    async def run():
        async with open_list(url) as its:
            for call in (its.fetch(), its.append(b"one")):
                with pytest.raises(ServiceError) as said:
                    await call
                assert said.value.blame == "service"

    tell(run())


def test_a_place_is_not_made_where_its_parent_is_missing(tmp_path):
    """A folder in which nothing is mounted would pass for a new disk."""

    async def run():
        async with open_list(f"file://{tmp_path}/usb/list") as its:
            with pytest.raises(ServiceError, match="No such file"):
                await its.create()

    tell(run())


def test_a_folder_that_was_emptied_takes_nothing(tmp_path):
    async def run():
        async with open_list(f"file://{tmp_path}/list") as its:
            await its.create()
            await its.append(b"one")
            await its.append(b"two")
            for path in (tmp_path / "list").iterdir():
                path.unlink()
            with pytest.raises(ServiceError, match="has vanished"):
                await its.append(b"three")

    tell(run())
    assert not any(path.name.isdigit() for path in (tmp_path / "list").iterdir())


@pytest.mark.parametrize(
    ("mark", "who"),
    [
        (".dropbox.cache", "Dropbox"),
        (".stfolder", "Syncthing"),
        (".tmp.drivedownload", "Google Drive"),
        (".sync_0a1b2c.db", "Nextcloud"),
    ],
)
@EVERY
def test_a_folder_that_a_sync_client_mirrors_is_refused(kind, url, tmp_path, mark, who):
    (tmp_path / mark).mkdir()

    async def run():
        async with open_list(url) as its:
            await its.create()
            with pytest.raises(ServiceError, match=who) as said:
                await its.check()
            assert said.value.blame == "caller"

    tell(run())


def test_onedrive_is_known_by_its_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("OneDriveConsumer", str(tmp_path))
    assert mirror(tmp_path / "deep" / "list") == "OneDrive"
    assert mirror(tmp_path.parent) is None


@pytest.mark.parametrize("name", ["00000000000000000000 (1)", "7 (Ben's conflicted copy).txt"])
def test_a_name_that_is_no_number_of_ours_is_reported(tmp_path, name):
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / name).write_bytes(b"x")

    async def run():
        async with open_list(f"file://{tmp_path}/list") as its:
            with pytest.raises(ServiceError, match="nothing of ours"):
                await its.check()

    tell(run())


@pytest.mark.parametrize("url", ["file://host/x", "file:///", "sqlite://host/x.db", "file://"])
def test_a_url_that_names_no_place_here_says_how_to_write_it(url):
    with pytest.raises(ServiceError, match="//") as said:
        open_list(url)
    assert said.value.blame == "caller"


WRITER = """
import asyncio, sys
from paxos.services.registry import open_list

async def main():
    async with open_list(sys.argv[1]) as its:
        for number in range(10**6):
            position = await its.append(b"%s %d " % (sys.argv[2].encode(), number) + b"x" * 20000)
            print(position, number, flush=True)

asyncio.run(main())
"""


@EVERY
def test_a_writer_that_is_killed_leaves_whole_entries_and_no_gap(kind, url, tmp_path):
    async def made():
        async with open_list(url) as its:
            await its.create()

    tell(made())
    told = []
    for life in range(6):
        command = [sys.executable, "-c", WRITER, url, f"life{life}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline()
            time.sleep(0.01 + 0.013 * life)
            os.kill(writer.pid, signal.SIGKILL)
            lines = [line.split() for line in writer.stdout.read().splitlines()]
        told += [(int(its[0]), f"life{life} {its[1]} ") for its in lines if len(its) == 2]

    async def read():
        async with open_list(url) as its:
            await its.check()
            return await its.fetch()

    found = tell(read())
    assert found
    assert all(one.endswith(b" " + b"x" * 20000) for one in found)
    assert len(set(found)) == len(found)
    assert all(found[position].decode().startswith(words) for position, words in told)
    if kind == "file":
        drafts = [path for path in (tmp_path / "list").iterdir() if path.name.startswith(DRAFT)]
        assert len(drafts) <= 6, "a draft for each death, at most"
