"""Google Drive, as its guide and its discovery document describe ids, names and uploads."""

import json
import re

from .core import Answer, Fake, reply


class Drive(Fake):
    """`files` is by id, and names need not be unique. Ids that were not issued are refused."""

    def __init__(self, *rest, **more):
        super().__init__(*rest, **more)
        self.issued, self.titles = [], {}

    def route(self, request):
        path = request.path
        if path == "/drive/v3/files/generateIds":
            return "ids", lambda: self.generate(int(request.query["count"]))
        if path == "/upload/drive/v3/files":
            return "create", lambda: self.upload(request)
        if found := re.fullmatch(r"/drive/v3/files/(\w+)", path):
            return "read", lambda: self.get(found[1], request)
        return "unknown", lambda: Answer(404)

    def generate(self, count):
        ids = [
            f"id{len(self.issued) + number}x{self.chance.randrange(10**9)}"
            for number in range(count)
        ]
        self.issued += ids
        return reply(200, {"ids": ids, "space": "drive", "kind": "drive#generatedIds"})

    def upload(self, request):
        assert request.query["uploadType"] == "multipart"
        mark = re.search(r'boundary="?([^";]+)', request.headers["Content-Type"])[1].encode()
        parts = request.body.split(b"--" + mark)[1:-1]
        about, content = (part.split(b"\n\n", 1)[1].removesuffix(b"\n") for part in parts)
        about = json.loads(about)
        id = about.get("id") or (self.generate(1) and self.issued[-1])
        if id not in self.issued:
            return self.error(400, "invalid")
        if not self.create(id, content):
            return self.error(409, "fileIdInUse")
        self.titles[id] = about["name"]
        return reply(200, {"id": id})

    def get(self, id, request):
        content = self.read(id)
        if content is None:
            return self.error(404, "notFound")
        assert request.query.get("alt") == "media"
        return Answer(200, content)

    def error(self, status, reason):
        errors = [{"domain": "global", "reason": reason}]
        return reply(status, {"error": {"code": status, "message": reason, "errors": errors}})

    def too_many(self):
        if self.chance.random() < 0.5:
            return self.error(403, "userRateLimitExceeded")
        return super().too_many()
