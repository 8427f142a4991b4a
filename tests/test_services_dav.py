"""Lists in WebDAV folders and git repositories: real servers on this machine, and servers that lie."""

import asyncio
import contextlib
import secrets
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import dav_servers
import object_servers
import pytest
from conftest import unavailable
from sequence import sequence

pytest.importorskip("httpx", reason="the client library of WebDAV is not installed")

from paxos.services.contract import ServiceError
from paxos.services.registry import open_list

STARTERS = {
    "nginx": dav_servers.nginx,
    "lighttpd": dav_servers.lighttpd,
    "git": dav_servers.git,
    "git-file": None,
}
RACE = {"nginx": 60, "lighttpd": 60, "git": 4, "git-file": 4}  # positions


@pytest.fixture(scope="session")
def at():
    """The URL of a new list on a server, which is started when it is first needed."""
    with contextlib.ExitStack() as stack:
        running = {}

        def url(kind):
            folder, place = running.get(kind, (None, None))[1], f"p{secrets.token_hex(8)}"
            if kind == "git-file":
                folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
                running[kind] = None, folder
                return f"git+file://{folder}/{place}.git"
            if kind not in running:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                try:
                    server = stack.enter_context(STARTERS[kind](folder))
                except object_servers.Missing as why:
                    unavailable(str(why))
                running[kind] = server, folder
            server, folder = running[kind]
            if kind == "git":
                dav_servers.repository(folder, place)
            return server.at(place)

        url.running = running
        yield url


def tell(what):
    return asyncio.run(asyncio.wait_for(what, 60))


@pytest.mark.parametrize("kind", STARTERS)
def test_a_list_is_read_as_it_was_written(kind, at):
    url, entries = at(kind), [b"entry %d" % number for number in range(11)] + [b"x\0" * (1 << 18)]
    tell(sequence(url, entries))

    async def again():
        async with open_list(url) as its:
            assert await its.append(entries[3], at=3) == 3  # found there: it is that very append

    tell(again())


@pytest.mark.parametrize("kind", STARTERS)
def test_of_eight_at_once_one_wins(kind, at, eight):
    url = at(kind)

    async def made():
        async with open_list(url) as its:
            await its.create()

    tell(made())
    said = eight.race(url, RACE[kind], {})
    assert said.most <= 1, "two were told that they had created one position"

    async def read():
        async with open_list(url) as its:
            return await its.fetch()

    found = tell(read())
    assert len(found) == RACE[kind], "whoever was told nothing may have won, but somebody did"
    for position, winners in enumerate(said.winners):
        for who in winners:
            assert found[position].startswith(b"%d by %d " % (position, who))


def test_git_tells_of_a_repository_that_is_not_there(tmp_path):
    async def run():
        async with open_list(f"git+file://{tmp_path}/none.git") as its:
            with pytest.raises(ServiceError, match=r"none\.git") as said:
                await its.fetch()
            assert said.value.blame == "service"

    tell(run())


def test_git_sees_a_position_that_was_changed_behind_its_back(tmp_path):
    url = f"git+file://{tmp_path}/r.git"

    async def run():
        async with open_list(url) as its, open_list(url) as other:
            await its.create()
            await its.append(b"one")
            await its.append(b"two")
            assert await other.fetch() == [b"one", b"two"]
            ref = "refs/paxos/" + its.name(0)
            blob = (await its.git("hash-object", "-w", "--stdin", given=b"forged")).decode().strip()
            await its.git("push", "--force", its.remote, f"{blob}:{ref}")
            assert await other.fetch() == [b"forged", b"two"]

    tell(run())


def test_git_begins_again_where_its_first_call_was_cancelled(tmp_path):
    url = f"git+file://{tmp_path}/r.git"

    async def run():
        async with open_list(url) as maker:
            await maker.create()
        async with open_list(url) as its:
            for turns in range(1, 4):
                call = asyncio.create_task(its.fetch())
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await call
            assert await its.fetch() == []

    tell(run())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("webdav+http://ann:secret@localhost/x", "WEBDAV_PASSWORD"),
        ("git+https://ann:secret@localhost/x.git", "no credentials in a URL"),
    ],
)
def test_credentials_are_not_taken_from_a_url(url, words):
    with pytest.raises(ServiceError, match=words) as said:
        open_list(url)
    assert "secret" not in str(said.value)


class Liar(BaseHTTPRequestHandler):
    """A WebDAV server that says what it is told to, and does as it likes."""

    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    answers: ClassVar[dict] = {}  # method -> status
    names: ClassVar[dict] = {}
    asked: ClassVar[list] = []

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        status, said = self.answers.get(self.command, 201), b""
        self.asked.append(self.command)
        if not status:  # gone without an answer
            self.close_connection = True
            return
        if self.command == "PUT":
            self.names[self.path] = body
        if self.command == "MOVE":
            target = "/" + self.headers["Destination"].split("/", 3)[3] + "entry"
            self.names[target] = self.names[self.path + "entry"]  # whatever stood there
        if self.command == "GET":
            said = self.names.get(self.path, b"")
            status = self.answers.get("GET", 200 if said else 404)
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_PUT = do_MOVE = do_MKCOL = do_DELETE = do_PROPFIND = handle_one

    def log_message(self, *_):
        pass


@pytest.fixture
def liar():
    Liar.answers, Liar.names, Liar.asked = {}, {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"webdav+http://127.0.0.1:{server.server_port}/x"
    server.shutdown()
    server.server_close()


def test_a_server_that_overwrites_is_refused(liar):
    async def run():
        async with open_list(liar) as its:
            with pytest.raises(ServiceError, match="does not keep its word") as said:
                await its.check()
            assert said.value.blame == "service"

    tell(run())


@pytest.mark.parametrize(
    ("method", "status", "blame", "retry"),
    [
        ("MKCOL", 401, "credentials", False),
        ("PUT", 507, "service", True),
        ("PUT", 429, "service", True),
        ("MKCOL", 409, "service", False),
    ],
)
def test_an_error_says_whose_fault_it_is(liar, method, status, blame, retry):
    Liar.answers[method] = status

    async def run():
        async with open_list(liar) as its:
            with pytest.raises(ServiceError) as said:
                await its.put(its.name(0), b"one")
            its = said.value
            assert (its.blame, its.retry, its.unsure) == (blame, retry, False)

    tell(run())


def test_an_answer_that_says_nothing_is_looked_up(liar):
    Liar.answers["MOVE"] = 500  # and yet it was moved

    async def run():
        async with open_list(liar) as its:
            assert await its.append(b"one", at=0) == 0
            assert await its.fetch() == [b"one"]

    tell(run())


def test_a_draft_that_cannot_be_removed_does_not_make_an_append_certain(liar):
    Liar.answers |= {"MOVE": 500, "DELETE": 0}  # moved, and then the server is gone

    async def run():
        async with open_list(liar) as its:
            with pytest.raises(ServiceError) as said:
                await its.put(its.name(0), b"one")
            assert said.value.unsure

    tell(run())


def test_a_draft_is_left_where_its_move_may_still_be_made(liar):
    Liar.answers["MOVE"] = 504

    async def run():
        async with open_list(liar) as its:
            with pytest.raises(ServiceError) as said:
                await its.put(its.name(0), b"one")
            assert said.value.unsure
            assert "DELETE" not in Liar.asked

    tell(run())


def test_git_takes_no_number_in_a_url_for_a_refusal(tmp_path):
    async def run():
        async with open_list(f"git+file://{tmp_path}/r.git") as its:
            error = its.failed("fatal: unable to access 'http://127.0.0.1:40345/x.git/': reset")
            assert (error.blame, error.retry) == ("network", True)
            error = its.failed("fatal: ...: The requested URL returned error: 403")
            assert error.blame == "credentials"

    tell(run())
