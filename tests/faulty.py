"""Servers that stand before a real one, and lose what it answers or change what it is asked."""

from http.client import HTTPConnection
from threading import Timer

import object_servers


class Faulty(object_servers.Quiet):
    """Stands before a server, and does to one write after the other what the script says."""

    def do_PUT(self):
        with self.server.lock:
            fault = self.server.script.pop(0) if self.server.script else ""
            self.server.writes += 1
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if fault == "late":
            self.server.late.append(Timer(0.02, self.forward, [body]))
            self.server.late[-1].start()
        if fault in ("", "lost", "503 after"):
            answer = self.forward(body)
        elif fault == "rival":
            self.forward(body.replace(b"mine", b"hers"))
        if fault in ("lost", "dropped", "late", "rival"):
            self.close_connection = True
        elif fault:
            self.answer(int(fault[:3]), {}, b"<Error><Code>Fault</Code></Error>")
        else:
            self.answer(*answer)

    def do_GET(self):
        self.answer(*self.forward(b""))

    do_HEAD = do_DELETE = do_GET

    def forward(self, body):
        connection = HTTPConnection("127.0.0.1", self.server.before, timeout=10)
        try:
            connection.request(self.command, self.path, body or None, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, its in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, its)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Ignoring(Faulty):
    """Overwrites whatever there is."""

    def forward(self, body):
        for name in (
            "If-None-Match",
            "x-goog-if-generation-match",
            "x-ms-blob-condition-appendpos",
        ):
            del self.headers[name]
        return super().forward(body)


class LooksFirst(Ignoring):
    """Answers 412 where it finds the name, and else writes it, a little later."""

    def do_PUT(self):
        connection = HTTPConnection("127.0.0.1", self.server.before, timeout=10)
        key = {"Authorization": self.headers["Authorization"]}
        connection.request("GET", self.path, headers=key)
        found = connection.getresponse().status == 200
        connection.close()
        if found:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(412, {}, b"")
        else:
            super().do_PUT()
