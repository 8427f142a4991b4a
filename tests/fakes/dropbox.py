"""Dropbox, as the documentation of its SDK describes uploads, conflicts and errors."""

import json

from .core import Answer, Fake, reply

CONFLICT = {
    "error_summary": "path/conflict/file/..",
    "error": {
        ".tag": "path",
        "reason": {".tag": "conflict", "conflict": {".tag": "file"}},
        "upload_session_id": "none",
    },
}
MISSING = {
    "error_summary": "path/not_found/..",
    "error": {".tag": "path", "path": {".tag": "not_found"}},
}
DAY = "2026-01-01T00:00:00Z"


def about(path, content):
    return {
        ".tag": "file",
        "name": path.rpartition("/")[2],
        "path_lower": path,
        "path_display": path,
        "id": "id:" + path,
        "client_modified": DAY,
        "server_modified": DAY,
        "rev": "0123456789a",
        "size": len(content),
    }


class Dropbox(Fake):
    folders = ()

    def route(self, request):
        path = request.path
        if path == "/oauth2/token":
            return "token", lambda: reply(200, {"access_token": self.token, "expires_in": 14400})
        argument = json.loads(request.headers.get("Dropbox-API-Arg") or request.body or b"{}")
        calls = {
            "/2/files/upload": ("create", lambda: self.upload(argument, request.body)),
            "/2/files/download": ("read", lambda: self.download(argument)),
            "/2/files/list_folder": ("list", lambda: self.listing(argument)),
            "/2/files/create_folder_v2": ("folder", lambda: self.folder(argument)),
        }
        return calls.get(path, ("unknown", lambda: Answer(404)))

    def too_many(self):
        reason = {"reason": {".tag": "too_many_write_operations"}, "retry_after": 0}
        return reply(429, {"error_summary": "too_many_write_operations/", "error": reason})

    def denied(self):
        self.expired = False
        error = {
            "error_summary": "expired_access_token/",
            "error": {".tag": "expired_access_token"},
        }
        return reply(401, error)

    def upload(self, argument, body):
        path, mode = argument["path"].lower(), argument.get("mode", "add")
        mode = mode if isinstance(mode, str) else mode[".tag"]
        assert path.startswith("/") and mode == "add" and not argument.get("autorename")
        there = self.files.get(path)
        if there is None:
            self.create(path, body)
        elif there != body or argument.get("strict_conflict"):
            return reply(409, CONFLICT)
        return reply(200, about(path, body))

    def download(self, argument):
        path = argument["path"].lower()
        content = self.read(path)
        if content is None:
            return reply(409, MISSING)
        return Answer(200, content, {"Dropbox-API-Result": json.dumps(about(path, content))})

    def listing(self, argument):
        start = argument["path"].lower() + "/"
        found = [name for name in self.names() if name.startswith(start)]
        entries = [about(name, b"") for name in found]
        return reply(200, {"entries": entries, "cursor": "end", "has_more": False})

    def folder(self, argument):
        path = argument["path"]
        return reply(200, {"metadata": {"name": path, "id": "id:" + path, "path_lower": path}})
