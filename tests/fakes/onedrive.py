"""OneDrive, as the reference of Microsoft Graph and the reports of its users describe it."""

import re

from .core import Answer, Fake, reply


class OneDrive(Fake):
    def route(self, request):
        path = request.path
        if path == "/common/oauth2/v2.0/token":
            return "token", lambda: reply(200, {"access_token": self.token})
        if path.endswith("/children") and request.method == "POST":
            return "folder", lambda: reply(201, {"name": request.json["name"]})
        if path.endswith("/children"):
            return "list", lambda: self.listing(request)
        if found := re.fullmatch(r"/v1\.0/me/drive/root:/(.+):/content", path):
            if request.method == "PUT":
                return "create", lambda: self.put(found[1], request)
            return "read", lambda: self.get(found[1])
        return "unknown", lambda: Answer(404)

    def put(self, name, request):
        behaviour = request.query.get("@microsoft.graph.conflictBehavior", "replace")
        if self.strikes(("modified",)):
            return self.error(409, "resourceModified")
        if behaviour == "replace" and name in self.files:
            self.files[name] = request.body
            return reply(200, {"name": name})
        if not self.create(name, request.body):
            return self.error(409, "nameAlreadyExists")
        return reply(201, {"name": name})

    def get(self, name):
        content = self.read(name)
        return self.error(404, "itemNotFound") if content is None else Answer(200, content)

    def listing(self, request):
        start = int(request.query.get("$skiptoken", 0))
        names = self.names()
        page = {"value": [{"name": name} for name in names[start : start + 5]]}
        if len(names) > start + 5:
            more = f"{self.endpoint}{request.path}?$skiptoken={start + 5}"
            page["@odata.nextLink"] = more
        return reply(200, page)

    def error(self, status, code):
        return reply(status, {"error": {"code": code, "message": ""}})
