"""What all fakes share: a server, the true log of what was committed, and faults on purpose.

A fault strikes an operation with a chance, from a seed. Each kind counts how often it struck, so that a
test can see that none was idle.
"""

import json
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread, Timer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LATE = 0.08  # seconds until a late commit lands, or what was committed can be read
BEFORE = ("too many", "error before", "expired")  # nothing has happened
AFTER = ("error after", "dropped after", "late")  # it has happened, or will
OF_LISTS = ("stale list",)
UNREADABLE = ("conflict before readable",)


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def reply(status: int, thing: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): its for name, its in headers.items()}
    return Answer(status, json.dumps(thing).encode(), {"Content-Type": "application/json", **named})


class Handler(BaseHTTPRequestHandler):
    """One connection: whole requests in, answers out, or a broken connection."""

    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def handle_one(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # who asked has gone, in the middle of it
            self.close_connection = True
            return
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = chunks(self.rfile)
        parts = urlsplit(self.path)
        query = {name: its[0] for name, its in parse_qs(parts.query, True).items()}
        request = Request(self.command, parts.path, query, self.headers, body)
        answer = self.server.fake.serve(request)
        if answer is None:  # the connection breaks
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, its in {
            **answer.headers,
            "Content-Length": str(len(answer.body)),
        }.items():
            self.send_header(name, its)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = handle_one

    def log_message(self, *_: Any) -> None:
        pass


class Fake(ABC):
    """A service of one account. A subclass says what a request is, and what comes of it."""

    token = "good"

    def __init__(self, seed: int = 0, **chances: float) -> None:
        self.chance, self.chances = random.Random(seed), chances
        self.lock = RLock()
        self.files: dict[str, bytes] = {}
        self.readable: dict[str, float] = {}  # when each file can be read
        self.log: list[tuple[str, bytes]] = []  # all that was committed, in order
        self.struck: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.expired, self.last = False, ""
        self.plan: list[str] = []  # faults of the next creates, instead of by chance
        self.said: list[str] = []  # each request, and the status of its answer
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.fake = self
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "Fake":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(2 * LATE)  # what is late must land before the log is looked at
        self.server.shutdown()
        self.server.server_close()

    # Faults.

    def strikes(self, kinds: tuple[str, ...]) -> str:
        """The fault that strikes now, if any."""
        before, self.last = self.last, ""
        for kind in kinds:
            if self.chance.random() < self.chances.get(kind.replace(" ", "_"), 0):
                if kind == before == "expired":  # a token that is new has not expired
                    continue
                self.struck[kind] += 1
                self.last = kind
                return kind
        return ""

    def serve(self, request: Request) -> Answer | None:
        answer = self.answer(request)
        status = f"{answer.status}" if answer else "no answer"
        method = request.query.get("method")
        path = request.path + (f"?method={method}" if method else "")
        self.said.append(f"{request.method} {path} -> {status}")
        return answer

    def answer(self, request: Request) -> Answer | None:
        what, call = self.route(request)
        with self.lock:
            self.asked[what] += 1
            kinds = BEFORE + AFTER * (what == "create")
            fault = self.strikes(kinds) if what in ("create", "read", "list") else ""
            fault = self.plan.pop(0) if what == "create" and self.plan else fault
            if fault == "too many":
                return self.too_many()
            if fault == "error before":
                return Answer(500, b"{}", {"Content-Type": "application/json"})
            if fault == "expired":
                self.expired = True
            if what != "token" and not self.allowed(request):
                return self.denied()
            if fault == "late":
                Timer(LATE, self.late, (call,)).start()
                return Answer(503, b"{}", {"Content-Type": "application/json"})
            answer = call()
        if fault == "error after":
            return Answer(502, b"{}", {"Content-Type": "application/json"})
        return None if fault == "dropped after" else answer

    def late(self, call: Callable[[], Answer]) -> None:
        with self.lock:
            call()

    def allowed(self, request: Request) -> bool:
        """Is the token good? One that has expired is good again once it has been refreshed."""
        return not self.expired and self.token in request.headers.get("Authorization", "")

    def too_many(self) -> Answer:
        return reply(429, {}, Retry_After="0")

    def denied(self) -> Answer:
        self.expired = False  # the next token is a new one
        return reply(401, {"error": {"code": "InvalidAuthenticationToken", "message": "expired"}})

    @abstractmethod
    def route(self, request: Request) -> tuple[str, Callable[[], Answer]]:
        """What is asked, and what carries it out."""

    # What is committed.

    def create(self, name: str, content: bytes) -> bool:
        """Create if absent."""
        if name in self.files:
            return False
        self.files[name] = content
        self.log.append((name, content))
        slow = self.strikes(UNREADABLE)
        self.readable[name] = time.monotonic() + (LATE if slow else 0)
        return True

    def read(self, name: str) -> bytes | None:
        if time.monotonic() < self.readable.get(name, 0):
            return None
        return self.files.get(name)

    def names(self) -> list[str]:
        """A listing; perhaps an old one."""
        found = sorted(self.files)
        return found[: len(found) // 2] if self.strikes(OF_LISTS) else found


def chunks(file: Any) -> bytes:
    body = b""
    while size := int(file.readline().split(b";")[0], 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body
