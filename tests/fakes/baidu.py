"""Baidu Pan, as the source of third-party clients describes it: three calls, and an errno in each answer."""

import json
import re
from urllib.parse import parse_qs

from .core import Answer, Fake, reply


class Baidu(Fake):
    def route(self, request):
        path, method = request.path, request.query.get("method")
        if path == "/oauth/2.0/token":
            return "token", lambda: reply(200, {"access_token": self.token})
        if path.startswith("/content/"):
            return "read", lambda: self.content(int(path.rpartition("/")[2]))
        if method == "upload":
            return "upload", lambda: self.part(request)
        form = {name: its[0] for name, its in parse_qs(request.body.decode("latin-1")).items()}
        calls = {
            "precreate": ("announce", lambda: self.precreate(form)),
            "create": ("create", lambda: self.made(form)),
            "list": ("list", lambda: self.listing(request.query)),
            "filemetas": ("read", lambda: self.metas(json.loads(request.query["fsids"]))),
        }
        return calls.get(method, ("unknown", lambda: Answer(404)))

    def allowed(self, request):
        return not self.expired and request.query.get("access_token") == self.token

    def denied(self):
        self.expired = False
        return reply(200, {"errno": -6})

    def too_many(self):
        return reply(200, {"error_code": 31034, "error_msg": "hit frequency limit"})

    def number(self, name):
        return 5000 + [one for one, _ in self.log].index(name)

    def precreate(self, form):
        assert form["rtype"] == "0" and form["autoinit"] == "1"
        if int(form["size"]) == 0:
            return reply(200, {"errno": 2})
        if form["path"] in self.files and self.chance.random() < 0.5:
            return reply(200, {"errno": -8})
        return reply(200, {"errno": 0, "return_type": 1, "uploadid": "u" + form["block_list"]})

    def part(self, request):
        mark = re.search(r"boundary=([^;]+)", request.headers["Content-Type"])[1].encode()
        content = request.body.split(b"--" + mark)[1].split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
        self.parts = {**getattr(self, "parts", {}), request.query["uploadid"]: content}
        return reply(200, {"md5": "0"})

    def made(self, form):
        content = self.parts[form["uploadid"]]
        if form["rtype"] == "1":  # another name instead
            name = form["path"]
            while not self.create(name, content):
                name += "(1)"
            return reply(200, {"errno": 0, "fs_id": self.number(name), "path": form["path"]})
        if not self.create(form["path"], content):
            return reply(200, {"errno": -8})
        return reply(200, {"errno": 0, "fs_id": self.number(form["path"]), "path": form["path"]})

    def listing(self, query):
        start, limit = int(query["start"]), int(query["limit"])
        found = self.names()[start : start + limit]
        rows = [
            {"server_filename": one.rpartition("/")[2], "fs_id": self.number(one)} for one in found
        ]
        return reply(200, {"errno": 0, "list": rows})

    def metas(self, numbers):
        rows = [
            {
                "fs_id": one,
                "dlink": f"{self.endpoint}/content/{one}",
                "size": len(self.log[one - 5000][1]),
            }
            for one in numbers
        ]
        return reply(200, {"errno": 0, "list": rows})

    def content(self, number):
        found = self.read(self.log[number - 5000][0])
        return Answer(404) if found is None else Answer(200, found)
