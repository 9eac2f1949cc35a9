"""The servers that are compared, with the commands that start them and print their versions.

A server responds to everything with 200 after it has read the body; a proxy forwards everything to
an origin that does so. What is not installed is left out.
"""

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVERS = HERE / "servers"


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    # Arguments with {port}, {origin}, {folder}, {python} and {servers}.
    command: list
    # The command that prints the version.
    version: list
    # The content of the file "configuration" in the folder.
    configuration: str = ""
    # A command that is run first, in the folder.
    prepare: list = dataclasses.field(default_factory=list)
    proxy: bool = False
    # Minimum time in seconds without bytes after which the server sends no more.
    quiet: float = 0
    # Python modules that must be installed.
    modules: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)

    def is_installed(self, python):
        programs = [self.command[0], *self.prepare[:1]]
        for program in programs:
            if program == "{python}":
                continue
            if "{" not in program and not shutil.which(program):
                return False
        code = "import " + ", ".join(self.modules or ("sys",))
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0

    def version_text(self, python):
        command = [part.format(python=python) for part in self.version]
        result = subprocess.run(command, capture_output=True, text=True)
        match = re.search(r"\d+(\.\d+)+", result.stdout + result.stderr)
        return match.group() if match else "?"


def python_module(name, *arguments, modules, version=None, **rest):
    """A server of a Python package."""
    package = version or modules[0]
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return Target(name, ["{python}", *arguments], ["{python}", "-c", code], modules=modules, **rest)


NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log /dev/null;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream origin {{ server {origin}; }}
    server {{ listen 127.0.0.1:{port} backlog=512; %s }}
}}
"""
APACHE = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog /dev/null
ServerName localhost
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
ThreadsPerChild 64
ProxyPass / http://{origin}/
"""
LIGHTTPD = """
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{folder}"
server.errorlog = "/dev/null"
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => "{origin_port}")))
"""
H2O = """
listen: {{host: 127.0.0.1, port: {port}}}
num-threads: 1
access-log: /dev/null
error-log: /dev/null
proxy.timeout.keepalive: 0
proxy.preserve-host: ON
hosts:
  default:
    paths:
      "/": {{proxy.reverse.url: "http://{origin}/"}}
"""
CADDY = """
{{
    admin off
    auto_https off
    log {{
        output discard
    }}
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy {origin}
}}
"""
HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout client 10s
    timeout http-request 10s
    timeout http-keep-alive 10s
    timeout connect 5s
    timeout server 10s
    retries 0
frontend front
    bind 127.0.0.1:{port}
    default_backend behind
backend behind
    server one {origin}
"""
VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{origin_port}"; }}
sub vcl_recv {{ return (pass); }}
"""

# The first one is this server, whose program is an option, and the origin of proxies.
TARGETS = [
    Target("httpants", ["garden", "{port}"], ["cargo", "pkgid", "-p", "httpants-core"]),
    Target("nginx", ["nginx", "-p", "{folder}", "-c", "{folder}/configuration"], ["nginx", "-v"],
           NGINX % 'location / { return 200 "$request_method $request_uri"; }'.replace("{", "{{").replace("}", "}}")),
    Target("Node.js", ["node", "{servers}/node.js", "{port}"], ["node", "--version"]),
    Target("Go net/http", ["{folder}/server", "{port}"], ["go", "version"],
           prepare=["go", "build", "-o", "{folder}/server", "{servers}/server.go"]),
    Target("Puma", ["puma", "--quiet", "--threads", "64:64", "--bind", "tcp://127.0.0.1:{port}", "{servers}/config.ru"],
           ["puma", "--version"], environment={"RACK_ENV": "production"}),
    Target("WEBrick", ["ruby", "{servers}/webrick.rb", "{port}"], ["ruby", "-rwebrick", "-e", "puts WEBrick::VERSION"]),
    python_module("Gunicorn", "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "64", "--keep-alive", "5",
                  "--chdir", "{servers}", "wsgi:application", modules=("gunicorn",)),
    python_module("uvicorn, h11", "-m", "uvicorn", "--http", "h11", "--port", "{port}", "--app-dir", "{servers}",
                  "--log-level", "critical", "asgi:application", modules=("uvicorn", "h11")),
    python_module("uvicorn, httptools", "-m", "uvicorn", "--http", "httptools", "--port", "{port}", "--app-dir", "{servers}",
                  "--log-level", "critical", "asgi:application", modules=("uvicorn", "httptools")),
    python_module("Hypercorn", "-m", "hypercorn", "--bind", "127.0.0.1:{port}", "asgi:application", modules=("hypercorn",),
                  environment={"PYTHONPATH": str(SERVERS)}),
    python_module("Granian", "-m", "granian", "--interface", "asgi", "--port", "{port}", "--no-ws", "--http", "1",
                  "asgi:application", modules=("granian",), environment={"PYTHONPATH": str(SERVERS)}),
    python_module("aiohttp", "{servers}/standalone.py", "aiohttp", "{port}", modules=("aiohttp",)),
    python_module("Tornado", "{servers}/standalone.py", "tornado", "{port}", modules=("tornado",)),
    python_module("Twisted", "{servers}/standalone.py", "twisted", "{port}", modules=("twisted",)),
    python_module("Waitress", "-m", "waitress", "--listen=127.0.0.1:{port}", "--threads=64", "--connection-limit=1000", "wsgi:application",
                  modules=("waitress",), environment={"PYTHONPATH": str(SERVERS)}),
    python_module("Cheroot", "{servers}/standalone.py", "cheroot", "{port}", modules=("cheroot",), quiet=2.5),
    Target("http.server", ["{python}", "{servers}/standalone.py", "http_server", "{port}"], ["{python}", "--version"]),
    Target("nginx", ["nginx", "-p", "{folder}", "-c", "{folder}/configuration"], ["nginx", "-v"], NGINX % (
        "location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ''; "
        "proxy_set_header Host $http_host; }}"), proxy=True),
    Target("HAProxy", ["haproxy", "-db", "-f", "{folder}/configuration"], ["haproxy", "-v"], HAPROXY, proxy=True),
    Target("Apache httpd", ["apache2", "-X", "-f", "{folder}/configuration"], ["apache2", "-v"], APACHE, proxy=True),
    Target("lighttpd", ["lighttpd", "-D", "-f", "{folder}/configuration"], ["lighttpd", "-v"], LIGHTTPD, proxy=True),
    Target("h2o", ["h2o", "-c", "{folder}/configuration"], ["h2o", "-v"], H2O, proxy=True),
    Target("Caddy", ["caddy", "run", "--config", "{folder}/configuration", "--adapter", "caddyfile"], ["caddy", "version"],
           CADDY, proxy=True, environment={"XDG_CONFIG_HOME": "{folder}", "XDG_DATA_HOME": "{folder}"}),
    Target("Varnish", ["varnishd", "-j", "none", "-F", "-a", "127.0.0.1:{port}", "-f", "{folder}/configuration", "-n", "{folder}/varnish"],
           ["varnishd", "-V"], VARNISH, proxy=True),
]


class Running:
    """A running server in its own folder."""

    def __init__(self, target, folder, port, origin, python):
        self.target = target
        values = {"folder": folder, "port": port, "origin": origin, "origin_port": origin.rsplit(":", 1)[1],
                  "python": python, "servers": SERVERS}
        fill = lambda parts: [part.format(**values) for part in parts]
        (folder / "configuration").write_text(target.configuration.format(**values))
        self.file = folder / "output"
        self.output = open(self.file, "wb")
        added = {name: value.format(**values) for name, value in target.environment.items()}
        environment = {**os.environ, **added, "PATH": f"{Path(python).parent}:{os.environ['PATH']}"}
        if target.prepare:
            subprocess.run(fill(target.prepare), check=True, cwd=folder)
        self.process = subprocess.Popen(fill(target.command), cwd=folder, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, env=environment, start_new_session=True)

    def is_running(self):
        return self.process.poll() is None

    def printed(self):
        return self.file.read_text(errors="replace")

    def stop(self):
        # The server has its own session, so that its workers end, too.
        for signal in (15, 9):
            try:
                os.killpg(self.process.pid, signal)
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break
        self.process.wait()
        self.output.close()
