#!/usr/bin/env python3
"""CPU time per request of the demo, of other servers, and of runtimes without HTTP, over loopback and TLS.

    servers.py [--servers NAME,...] [--scenarios NAME,...] [--rounds N] [--seconds N] [--reno]

Each server runs on processor 0 and wrk on processor 1 (Debian packages: wrk, nginx, openssl). Each round
measures all servers, each measurement starts its server again, and a server that returns a wrong response in a
scenario is left out of it. Results replace those of these scenarios in results.json, but not if only some servers
are measured: times differ between machines and hours, so compare within a run.
The scenarios with TLS 1.3 use a P-256 certificate that is created for the run; `tls-handshake` is a new connection
with a full handshake and one request, `tls-file-1m` a file over kept-alive connections with AES-128-GCM.
`--reno` (as root) uses a network namespace with TCP Reno, because the pacing of BBR distorts downloads over loopback.
"""
import argparse
import ctypes
import fcntl
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import results

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
# Scenario: path, kind of load, connections.
SCENARIOS = {
    "plaintext": ("/plaintext", "plain", 64),
    "browser": ("/plaintext", "browser", 64),
    "pipelined": ("/plaintext", "pipelined", 64),
    "churn": ("/plaintext", "close", 64),
    "post-1m": ("/echo-len", "body", 16),
    "file-16k": ("/file/16k", "plain", 64),
    "file-1m": ("/file/1m", "plain", 16),
    "upload-1m": ("/upload", "upload", 16),
    "tls-handshake": ("/plaintext", "handshake", 16),
    "tls-file-1m": ("/file/1m", "plain", 16),
}
PEERS = ["hyper", "axum", "actix", "ntex", "may_minihttp"]
RUNTIMES = ["tokio", "smol", "async-std"]
NGINX = """
daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type application/octet-stream;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}{ssl} backlog=4096; {tls}
    location = /plaintext {{ default_type text/plain; return 200 "Hello, World!"; }}
    location /file/ {{ alias {folder}/; }}
    location / {{ return 404; }} }} }}
"""
NGINX_TLS = "ssl_protocols TLSv1.3; ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;"
CERTIFICATE = """
[req]
distinguished_name = name
x509_extensions = extensions
[name]
[extensions]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1
"""
# Read by wrk's OpenSSL, because the cipher suite cannot be configured in all servers.
CLIENT = """
openssl_conf = client
[client]
ssl_conf = ssl
[ssl]
system_default = suites
[suites]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
"""


def commands(demo):
    """Returns the command of each server; names in braces are replaced at each start."""
    peer = lambda name: os.path.join(results.peers_target(), "release", name)
    servers = {}
    for runtime in RUNTIMES:
        servers[f"floor-{runtime}"] = [peer("floor"), "{port}", runtime]
        servers[f"httpants-{runtime}"] = [demo, "--listen", "127.0.0.1:{port}", "--workers", "1", "--runtime", runtime]
    servers |= {name: [peer(name), "{port}"] for name in PEERS}
    servers["hyper-pipeline-flush"] = [peer("hyper"), "{port}", "--pipeline-flush"]
    servers["nginx"] = ["nginx", "-c", "{folder}/nginx.conf"]
    return servers


def tls_commands(demo):
    """Returns the command of each server with TLS, by the same names as without TLS."""
    peer = lambda name: os.path.join(results.peers_target(), "release", name)
    certificate, key = "{folder}/certificate.pem", "{folder}/key.pem"
    plain = commands(demo)
    servers = {"floor-rustls": [peer("floor_tls"), "{port}", certificate, key]}
    for runtime in RUNTIMES:
        servers[f"httpants-{runtime}"] = [*plain[f"httpants-{runtime}"], "--tls-cert", certificate, "--tls-key", key]
    servers["hyper"] = [peer("hyper"), "{port}", "--tls", certificate, key]
    servers["nginx"] = ["nginx", "-c", "{folder}/nginx-tls.conf"]
    return servers


class Server:
    """A running server on its own port."""

    def __init__(self, command, folder):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        write(folder, "nginx.conf", NGINX.format(folder=folder, port=self.port, ssl="", tls=""))
        write(folder, "nginx-tls.conf",
              NGINX.format(folder=folder, port=self.port, ssl=" ssl", tls=NGINX_TLS.format(folder=folder)))
        arguments = [argument.replace("{port}", str(self.port)).replace("{folder}", folder) for argument in command]
        pin = lambda: os.sched_setaffinity(0, {0})
        self.process = subprocess.Popen(arguments, env={**os.environ, "FILE_ROOT": folder}, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=pin, start_new_session=True)
        for _ in range(250):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                time.sleep(0.05)
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise OSError(f"{command[0]} did not start")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def processes(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as children:
                    todo += map(int, children.read().split())
        return found

    def cpu(self):
        """Returns user and system seconds so far."""
        user = system = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            user, system = user + int(fields[11]), system + int(fields[12])
        return user / TICK, system / TICK


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def is_tls(scenario):
    return scenario.startswith("tls-")


def connect(server, scenario):
    if not is_tls(scenario):
        return http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(os.path.join(server.folder, "certificate.pem"))
    return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=context)


def is_correct(server, scenario):
    """Returns whether the server responds correctly, twice on a connection."""
    path, load, _ = SCENARIOS[scenario]
    expected, body, fields = b"Hello, World!", None, {}
    if load == "body":
        body, expected = b"x" * (1 << 20), b"1048576"
    elif load == "upload":
        body = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nvalue\r\n--b--\r\n'
        fields, expected = {"Content-Type": "multipart/form-data; boundary=b"}, b"1 5"
    elif load in ("close", "handshake"):
        fields = {"Connection": "close"}
    elif path.startswith("/file/"):
        expected = {"/file/16k": 1 << 14, "/file/1m": 1 << 20}[path]
    try:
        connection = connect(server, scenario)
        for _ in range(2):
            connection.request("POST" if body else "GET", path, body, fields)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200 or expected not in (content, len(content)):
                return False
            if fields.get("Connection") == "close" and not response.will_close:
                return False
        return load != "pipelined" or is_pipelined(server)
    except (OSError, http.client.HTTPException):
        return False


def is_pipelined(server):
    """Returns whether two requests in one write get two responses."""
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        received = b""
        while received.count(b"Hello, World!") < 2:
            more = client.recv(4096)
            if not more:
                return False
            received += more
    return True


def measure(server, scenario, seconds):
    path, load, connections = SCENARIOS[scenario]
    if load == "handshake":
        command = [os.path.join(results.peers_target(), "release", "handshakes"), str(server.port),
                   os.path.join(server.folder, "certificate.pem"), str(connections), str(seconds)]
    else:
        scheme = "https" if is_tls(scenario) else "http"
        command = wrk(f"{scheme}://127.0.0.1:{server.port}{path}", connections, seconds)
    before = server.cpu()
    pin = lambda: os.sched_setaffinity(0, {1})
    environment = {**os.environ, "LOAD": load, **(openssl_client(server.folder) if is_tls(scenario) else {})}
    out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=pin,
                         timeout=seconds + 30, check=True).stdout
    after = server.cpu()
    line = next(line for line in out.splitlines() if line.startswith("JSON "))
    counted = json.loads(line.removeprefix("JSON "))
    requests = max(counted["requests"], 1)
    user, system = ((now - then) * 1e6 / requests for now, then in zip(after, before))
    return {"cpu": user + system, "user": user, "rate": requests / counted["microseconds"] * 1e6,
            "errors": counted["errors"], "p50": counted["p50"], "p99": counted["p99"]}


def wrk(url, connections, seconds):
    script = os.path.join(HERE, "load.lua")
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, url]


def make_certificate(folder):
    write(folder, "certificate.cnf", CERTIFICATE)
    write(folder, "client.cnf", CLIENT)
    at = lambda name: os.path.join(folder, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-config", at("certificate.cnf"), "-keyout", at("key.pem"),
                    "-out", at("certificate.pem")], stderr=subprocess.DEVNULL, check=True)


def openssl_client(folder):
    """Returns the environment in which OpenSSL reads CLIENT."""
    return {"OPENSSL_CONF": os.path.join(folder, "client.cnf")}


def suite_of_wrk(folder):
    """Returns the cipher suite that wrk negotiates with a server that has other preferences."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem"))
    environment = {**os.environ, **openssl_client(folder)}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        command = wrk(f"https://127.0.0.1:{listener.getsockname()[1]}/", 1, 1)
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            try:
                while True:
                    try:
                        with context.wrap_socket(listener.accept()[0], server_side=True) as stream:
                            return stream.cipher()[0]
                    except (ssl.SSLError, ConnectionError):
                        # wrk first opens a connection to check that it can connect.
                        continue
            finally:
                client.kill()


def enter_network_with_reno():
    """Moves this process into a network namespace that has only loopback."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # SIOCSIFFLAGS with IFF_UP, IFF_LOOPBACK and IFF_RUNNING.
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH22x", b"lo", 0x49))
    with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as control:
        control.write("reno")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: text.split(",")
    parser.add_argument("--servers", type=names)
    parser.add_argument("--scenarios", type=names, default=list(SCENARIOS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--reno", action="store_true")
    options = parser.parse_args()
    if unknown := [name for name in options.scenarios if name not in SCENARIOS]:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(SCENARIOS)}")
    return options


def installed(options, plain, tls):
    """Returns the scenarios and the servers of each kind that can be measured here, and prints those that are left out."""
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed (Debian package: wrk)")
    scenarios = options.scenarios
    if any(map(is_tls, scenarios)) and not shutil.which("openssl"):
        print("openssl is not installed: the scenarios with TLS are left out", file=sys.stderr)
        scenarios = [scenario for scenario in scenarios if not is_tls(scenario)]
    names = options.servers or list(plain | tls)
    if "nginx" in names and not shutil.which("nginx"):
        print("nginx is not installed: it is left out", file=sys.stderr)
        names.remove("nginx")
    chosen = lambda servers: {name: command for name, command in servers.items() if name in names}
    return scenarios, chosen(plain), chosen(tls)


def prepare(folder, scenarios):
    """Creates the files to serve, and the files for TLS."""
    os.chmod(folder, 0o755)
    for name, size in (("16k", 1 << 14), ("1m", 1 << 20)):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(os.urandom(size))
    if any(map(is_tls, scenarios)):
        make_certificate(folder)
        if (suite := suite_of_wrk(folder)) != "TLS_AES_128_GCM_SHA256":
            sys.exit(f"wrk ignores the cipher suite of OPENSSL_CONF: it uses {suite}")


def measure_one(command, folder, scenario, seconds):
    """Returns the figures of a new server, or None if it does not respond correctly."""
    server = Server(command, folder)
    try:
        return measure(server, scenario, seconds) if is_correct(server, scenario) else None
    finally:
        server.stop()


def main():
    options = parse()
    results.build_peers()
    demo = results.build_demo()
    scenarios, plain, tls = installed(options, commands(demo), tls_commands(demo))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if options.reno:
        enter_network_with_reno()
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder, scenarios)
        for number in range(options.rounds):
            for scenario in scenarios:
                for name, command in (tls if is_tls(scenario) else plain).items():
                    row = measure_one(command, folder, scenario, options.seconds)
                    if row is None:
                        print(number, scenario, name, "does not respond correctly: left out", file=sys.stderr, flush=True)
                        continue
                    measured.setdefault(scenario, {}).setdefault(name, []).append(row)
                    print(number, scenario, name, f"{row['cpu']:.2f} us, {row['errors']} errors", file=sys.stderr, flush=True)
    if options.servers:
        print("only some servers were measured: not added to results.json", file=sys.stderr)
    else:
        results.merge("servers", measured)


if __name__ == "__main__":
    main()
