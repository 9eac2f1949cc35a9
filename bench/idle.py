#!/usr/bin/env python3
"""Resident bytes of an idle keep-alive connection, on each runtime.

    ./idle.py [CONNECTIONS]      default: 10,000

Builds the demo and `bare`, which has a task and a socket per connection and no HTTP; opens
the connections, sends one request on each, and divides the growth of the server by their number.
Adds the figures to results.json. Needs twice as many file descriptors, in two processes: see `ulimit -n`.
"""

import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import results

BENCH = Path(__file__).resolve().parent
RUNTIMES = ["tokio", "smol", "async-std"]
REQUEST = (
    "GET /plaintext HTTP/1.1\r\n"
    "Host: localhost:8080\r\n"
    "Connection: keep-alive\r\n"
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"\r\n'
    "sec-ch-ua-mobile: ?0\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef\r\n"
    "\r\n"
).encode()


def build(folder, program):
    """Builds a program and returns its path."""
    command = ["cargo", "build", "--release", "--locked", "--bin", program]
    subprocess.run(command, cwd=folder, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=folder, check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    target = re.search(r'"target_directory":"([^"]*)"', metadata)[1]
    return f"{target}/release/{program}"


def resident(server):
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) * 1024


def connect(port, number):
    """Opens a connection and reads one response. Uses several client addresses, because one has fewer than 65,536 ports."""
    client = socket.create_connection(("127.0.0.1", port), 30, (f"127.0.0.{2 + number % 8}", 0))
    client.sendall(REQUEST)
    response = b""
    while not response.endswith(b"Hello, World!"):
        received = client.recv(4096)
        if not received:
            sys.exit(f"the server closed a connection: {response!r}")
        response += received
    return client


def measure(command, count):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
        # Opens the first connections, so that allocations that are made once are not measured.
        warm = [connect(port, number) for number in range(64)]
        before = resident(server)
        clients = [connect(port, number) for number in range(count)]
        grown = resident(server) - before
        for client in clients + warm:
            client.close()
        return grown / count
    finally:
        server.kill()
        server.wait()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    demo, bare = results.build_demo(), build(BENCH, "bare")
    measured = {}
    for runtime in RUNTIMES:
        flags = ["--runtime", runtime, "--listen", "127.0.0.1:0", "--workers", "1"]
        measured[runtime] = {"demo": measure([demo, *flags], count), "bare": measure([bare, runtime], count)}
        print(runtime, measured[runtime], flush=True)
    results.save("idle", measured)


main()
