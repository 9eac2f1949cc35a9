#!/usr/bin/env python3
"""CPU time per request of the demo, of other servers, and of runtimes without HTTP, over loopback.

    servers.py [--servers NAME,...] [--scenarios NAME,...] [--rounds N] [--seconds N] [--reno]

Each server runs on processor 0 and wrk on processor 1 (Debian packages: wrk, nginx). All take turns within a
round, each measurement starts its server anew, and a server that gives a wrong response in a scenario does not
take part in it. Results are added to results.json. Absolute times differ between machines; compare within a run.
`--reno` (as root) uses a network namespace with TCP Reno, because the pacing of BBR distorts downloads over loopback.
"""
import argparse
import ctypes
import fcntl
import http.client
import json
import os
import resource
import signal
import socket
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
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location = /plaintext {{ default_type text/plain; return 200 "Hello, World!"; }}
    location /file/ {{ alias {folder}/; }}
    location / {{ return 404; }} }} }}
"""


def commands(demo):
    """Returns the command of each server; `{port}` and `{nginx}` stand for what differs per start."""
    peer = lambda name: os.path.join(results.peers_target(), "release", name)
    servers = {}
    for runtime in RUNTIMES:
        servers[f"floor-{runtime}"] = [peer("floor"), "{port}", runtime]
        servers[f"httpants-{runtime}"] = [demo, "--listen", "127.0.0.1:{port}", "--workers", "1", "--runtime", runtime]
    servers |= {name: [peer(name), "{port}"] for name in PEERS}
    servers["hyper-pipeline-flush"] = [peer("hyper"), "{port}", "--pipeline-flush"]
    servers["nginx"] = ["nginx", "-c", "{nginx}"]
    return servers


class Server:
    """A running server on a port of its own."""

    def __init__(self, command, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        nginx = os.path.join(folder, "nginx.conf")
        with open(nginx, "w") as file:
            file.write(NGINX.format(folder=folder, port=self.port))
        arguments = [argument.replace("{port}", str(self.port)).replace("{nginx}", nginx) for argument in command]
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


def is_correct(server, scenario):
    """Returns whether the server responds correctly, twice on a connection."""
    path, load, _ = SCENARIOS[scenario]
    expected, body, fields = b"Hello, World!", None, {}
    if load == "body":
        body, expected = b"x" * (1 << 20), b"1048576"
    elif load == "upload":
        body = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nvalue\r\n--b--\r\n'
        fields, expected = {"Content-Type": "multipart/form-data; boundary=b"}, b"1 5"
    elif load == "close":
        fields = {"Connection": "close"}
    elif path.startswith("/file/"):
        expected = {"/file/16k": 1 << 14, "/file/1m": 1 << 20}[path]
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for _ in range(2):
            connection.request("POST" if body else "GET", path, body, fields)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200 or expected not in (content, len(content)):
                return False
            if load == "close" and not response.will_close:
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
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", os.path.join(HERE, "load.lua"),
               f"http://127.0.0.1:{server.port}{path}"]
    before = server.cpu()
    pin = lambda: os.sched_setaffinity(0, {1})
    out = subprocess.run(command, env={**os.environ, "LOAD": load}, stdout=subprocess.PIPE, text=True, preexec_fn=pin,
                         timeout=seconds + 30, check=True).stdout
    after = server.cpu()
    line = next(line for line in out.splitlines() if line.startswith("JSON "))
    wrk = json.loads(line.removeprefix("JSON "))
    requests = max(wrk["requests"], 1)
    user, system = ((now - then) * 1e6 / requests for now, then in zip(after, before))
    return {"cpu": user + system, "user": user, "rate": requests / wrk["microseconds"] * 1e6, "errors": wrk["errors"],
            "p50": wrk["p50"], "p99": wrk["p99"]}


def enter_network_with_reno():
    """Moves this process into a network namespace with loopback alone."""
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
    return parser.parse_args()


def main():
    options = parse()
    results.build_peers()
    servers = commands(results.build_demo())
    servers = {name: servers[name] for name in options.servers or servers}
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if options.reno:
        enter_network_with_reno()
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, size in (("16k", 1 << 14), ("1m", 1 << 20)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(os.urandom(size))
        for number in range(options.rounds):
            for scenario in options.scenarios:
                for name, command in servers.items():
                    server = Server(command, folder)
                    try:
                        if not is_correct(server, scenario):
                            continue
                        row = measure(server, scenario, options.seconds)
                    finally:
                        server.stop()
                    measured.setdefault(scenario, {}).setdefault(name, []).append(row)
                    print(number, scenario, name, f"{row['cpu']:.2f} us, {row['errors']} errors", file=sys.stderr, flush=True)
    results.save("servers", measured)


if __name__ == "__main__":
    main()
