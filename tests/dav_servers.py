"""WebDAV servers and a git server on this machine, each on a free port, for as long as a test needs it."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from object_servers import Missing, Server, free_ports, program, running

SBIN = Path("/usr/sbin")
MODULES = Path("/usr/lib/nginx/modules")
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 2;
{user}
load_module {modules}/ngx_http_dav_ext_module.so;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; root {folder}/root; client_max_body_size 64m;
    location / {{
      dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS;
      create_full_put_path off; dav_access user:rw;
    }}
  }}
}}
"""
LIGHTTPD = """
server.document-root = "{folder}/root"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{folder}/error.log"
server.upload-dirs = ( "{folder}/body" )
server.modules += ( {modules} )
{more}
"""
DAV = """
webdav.activate = "enable"
webdav.is-readonly = "disable"
"""
GIT = """
setenv.add-environment = ( "GIT_PROJECT_ROOT" => "{folder}/root", "GIT_HTTP_EXPORT_ALL" => "1" )
alias.url = ( "" => "{backend}" )
cgi.assign = ( "" => "" )
"""


def prepared(folder: Path) -> None:
    for name in ("root", "body"):
        (folder / name).mkdir(exist_ok=True)


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """nginx with its own DAV module, and the one that adds what it lacks."""
    command = program("nginx", SBIN)
    if not (MODULES / "ngx_http_dav_ext_module.so").exists():
        raise Missing("nginx has no module dav_ext: see .ci/run")
    prepared(folder)
    [port] = free_ports(1)
    user = "user root;" if folder.owner() == "root" else ""
    text = NGINX.format(folder=folder, port=port, modules=MODULES, user=user)
    (folder / "conf").write_text(text)
    with running([command, "-c", str(folder / "conf"), "-p", str(folder)], port) as process:
        yield Server(process, port, f"webdav+http://127.0.0.1:{port}/{{}}")


@contextlib.contextmanager
def lighttpd(folder: Path) -> Iterator[Server]:
    """lighttpd, in one process."""
    prepared(folder)
    with light(folder, '"mod_webdav"', DAV) as (process, port):
        yield Server(process, port, f"webdav+http://127.0.0.1:{port}/{{}}")


@contextlib.contextmanager
def git(folder: Path) -> Iterator[Server]:
    """Bare repositories behind git's own server program. `repository` makes one."""
    path = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    backend = Path(path.stdout.strip()) / "git-http-backend"
    if not backend.exists():
        raise Missing("git has no git-http-backend")
    prepared(folder)
    more = GIT.format(folder=folder, backend=backend)
    with light(folder, '"mod_setenv", "mod_alias", "mod_cgi"', more) as (process, port):
        yield Server(process, port, f"git+http://127.0.0.1:{port}/{{}}.git")


def repository(folder: Path, name: str) -> None:
    """A bare repository that takes pushes over HTTP."""
    path = folder / "root" / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    subprocess.run(["git", "-C", str(path), "config", "http.receivepack", "true"], check=True)


@contextlib.contextmanager
def light(folder: Path, modules: str, more: str) -> Iterator[tuple[subprocess.Popen, int]]:
    if not shutil.which("lighttpd", path=f"{SBIN}:/usr/bin:/usr/local/sbin"):
        raise Missing("the server lighttpd is not installed: see .ci/run")
    command = program("lighttpd", SBIN)
    [port] = free_ports(1)
    text = LIGHTTPD.format(folder=folder, port=port, modules=modules, more=more)
    (folder / "conf").write_text(text)
    with running([command, "-D", "-f", str(folder / "conf")], port) as process:
        yield process, port
