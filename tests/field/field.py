"""Functions that the scripts of this folder share: the demo, and clients that check every response."""

import os
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNTIMES = ["tokio", "smol", "async-std"]
PATIENCE = 60


def build():
    """Builds the demo and returns its path."""
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "httpants-demo"], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    return re.search(r'"target_directory":"([^"]*)"', metadata)[1] + "/release/demo"


def all_descriptors():
    """Raises the limit of descriptors, which child processes inherit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def reserve_port():
    """Returns a free port and a socket that keeps it reserved: bound, but not listening."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    return keeper.getsockname()[1], keeper


class Demo:
    """A running demo on this port; 0 selects a free one."""

    def __init__(self, program, runtime, port, *flags):
        command = [program, "--runtime", runtime, "--listen", f"127.0.0.1:{port}", *flags]
        self.runtime = runtime
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        if not line.startswith("httpants listens on "):
            raise SystemExit(f"the demo on {runtime} did not start: {line}")
        self.port = int(line.rstrip("/\n").rsplit(":", 1)[1])

    def resident(self):
        """Returns its resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, with_signal=signal.SIGTERM):
        """Stops the demo and waits for its exit; the second exit status is also expected, after a drain."""
        self.process.send_signal(with_signal)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


class Broken(Exception):
    """A response that is missing, incomplete or wrong."""


class Client:
    """A connection that reads complete responses."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self.received = b""

    def close(self):
        self.socket.close()

    def send(self, request):
        try:
            self.socket.sendall(request)
        except OSError as error:
            raise Broken(f"sending: {error}") from error

    def more(self):
        try:
            data = self.socket.recv(1 << 18)
        except OSError as error:
            raise Broken(f"receiving: {error}") from error
        if not data:
            raise Broken("the connection ended within a response" if self.received else "no response")
        self.received += data

    def response(self):
        """Returns status, head and body of the next response, which must have a Content-Length."""
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            self.more()
        head = self.received[: end + 2]
        length = re.search(rb"\r\ncontent-length: *(\d+)\r\n", head, re.IGNORECASE)
        if not head.startswith(b"HTTP/1.1 ") or not length:
            raise Broken(f"not expected: {head!r}")
        whole = end + 4 + int(length[1])
        while len(self.received) < whole:
            self.more()
        body, self.received = self.received[end + 4 : whole], self.received[whole:]
        return int(head[9:12]), head, body


def wait_until(what, condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"that did not happen: {what}")
        time.sleep(0.02)


def machine():
    """Describes the machine for the report."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    kernel = os.uname().release.split("-")[0]
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {cpu[1] if cpu else os.uname().machine}, Linux {kernel}"
