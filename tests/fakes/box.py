"""Box, as its developer guide describes uploads, conflicts, reserved names and rate limits."""

import json
import re

from .core import Answer, Fake, reply


class Box(Fake):
    def route(self, request):
        path = request.path
        if path == "/api/2.0/files/content":
            return "create", lambda: self.upload(request)
        if path == "/2.0/files/content" and request.method == "OPTIONS":
            return "read", lambda: self.preflight(request.json)
        if found := re.fullmatch(r"/2\.0/files/(\d+)/content", path):
            return "read", lambda: self.download(found[1])
        if path.startswith("/2.0/folders/"):
            return "list", lambda: self.listing()
        return "unknown", lambda: Answer(404)

    def id(self, name):
        return str(1000 + [one for one, _ in self.log].index(name))

    def upload(self, request):
        kind = request.headers["Content-Type"]
        mark = re.search(r"boundary=([^;]+)", kind)[1].strip('"').encode()
        parts = list(request.body.split(b"--" + mark)[1:-1])
        first, second = (part.split(b"\r\n\r\n", 1) for part in parts)
        assert b'name="attributes"' in first[0], "attributes must come first"
        attributes = json.loads(first[1])
        name, content = attributes["name"], second[1].removesuffix(b"\r\n")
        assert attributes["parent"]["id"]
        if self.strikes(("reserved",)):
            return reply(409, {"status": 409, "code": "name_temporarily_reserved", "message": ""})
        if not self.create(name, content):
            return self.taken(name)
        about = {"id": self.id(name), "type": "file", "name": name, "etag": "0"}
        return reply(201, {"total_count": 1, "entries": [about]})

    def taken(self, name):
        about = {"id": self.id(name), "type": "file", "name": name}
        conflicts = about if self.chance.random() < 0.5 else [about]  # both have been seen
        return reply(
            409,
            {
                "type": "error",
                "status": 409,
                "code": "item_name_in_use",
                "message": "in use",
                "context_info": {"conflicts": conflicts},
                "request_id": "0",
                "help_url": "",
            },
        )

    def preflight(self, asked):
        name = asked["name"]
        return self.taken(name) if self.read(name) else reply(200, {"upload_url": "https://x"})

    def download(self, id):
        content = self.read(self.log[int(id) - 1000][0])
        return Answer(404, b"{}") if content is None else Answer(200, content)

    def listing(self):
        names = self.names()
        entries = [{"id": self.id(name), "type": "file", "name": name} for name in names]
        return reply(
            200, {"total_count": len(names), "entries": entries, "offset": 0, "limit": 1000}
        )

    def denied(self):
        self.expired = False
        return reply(401, {"status": 401, "code": "unauthorized", "message": ""})
