#!/usr/bin/env python3
"""Many open connections, and latency at a fixed rate, of the demo compared with other servers.

    scale.py [--seconds N] [--reno]       default: 5

First 10 to 32,000 open connections with requests that wait 10 ms in the handler (at most 50 a second and
connection, and 4,000 in all): resident bytes of a connection, and server CPU per request. Then requests at a
fixed rate on 64 connections, 10,000 a second and half of the demo's maximum: latencies, counted from
the scheduled time of each request, and CPU. The server runs on processor 0 (with two workers on both) and the load on
processor 1. Counts above the limit of file descriptors (`ulimit -Hn`) are left out. Adds to results.json.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile

import results
import servers

CONNECTIONS = [10, 1_000, 10_000, 32_000]
HELD = ["httpants-tokio", "httpants-smol", "httpants-async-std", "hyper", "actix"]
FIXED = ["httpants-tokio", "httpants-tokio-2", "httpants-smol", "hyper", "actix", "nginx"]
NOT_FOR_CLIENTS = 200


def resident(server):
    """Returns the resident bytes of the server's processes."""
    pages = 0
    for pid in server.processes():
        with open(f"/proc/{pid}/statm") as statm:
            pages += int(statm.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def load(server, path, connections, rate, seconds):
    """Returns the results of the load generator, server CPU per request, and resident bytes per connection."""
    program = os.path.join(results.peers_target(), "release", "open_loop")
    arguments = [program, str(server.port), path, str(connections), str(rate), str(seconds)]
    pin = lambda: os.sched_setaffinity(0, {1})
    before = resident(server)
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin) as client:
        if client.stdout.readline() != "ready\n":
            raise OSError("the load did not start")
        idle = resident(server)
        start = server.cpu()
        client.stdin.write("\n")
        client.stdin.flush()
        row = json.loads(client.stdout.readline() or "null")
        if row is None:
            raise OSError("the load failed")
        used = [now - then for now, then in zip(server.cpu(), start)]
        busy = resident(server)
        client.communicate("\n")
    row["cpu"] = sum(used) * 1e6 / row["requests"]
    row["idle_bytes"], row["bytes"] = (idle - before) / connections, (busy - before) / connections
    return row


def maximum(server, seconds):
    """Returns the maximum number of requests per second of the server, with wrk as the client."""
    return servers.measure(server, "plaintext", seconds)["rate"]


def run(commands, name, folder, action):
    server = servers.Server(commands[name], folder)
    try:
        if name.endswith("-2"):
            subprocess.run(["taskset", "-acp", "0,1", str(server.process.pid)], stdout=subprocess.DEVNULL, check=True)
        return action(server)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--reno", action="store_true")
    options = parser.parse_args()
    results.build_peers()
    commands = servers.commands(results.build_demo())
    two = commands["httpants-tokio"]
    commands["httpants-tokio-2"] = [*two[:two.index("--workers") + 1], "2", *two[two.index("--workers") + 2:]]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if options.reno:
        servers.enter_network_with_reno()
    held, fixed = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for count in CONNECTIONS:
            if count + NOT_FOR_CLIENTS > limit:
                print(f"{count} connections: left out, at most {limit} descriptors", file=sys.stderr)
                continue
            rate = min(50 * count, 4_000)
            for name in HELD:
                row = run(commands, name, folder, lambda server: load(server, "/slow?ms=10", count, rate, options.seconds))
                held.setdefault(str(count), {})[name] = row
                print(count, name, row, file=sys.stderr, flush=True)
        half = int(run(commands, "httpants-tokio", folder, lambda server: maximum(server, options.seconds)) / 2)
        for rate in [10_000, half]:
            for name in FIXED:
                row = run(commands, name, folder, lambda server: load(server, "/plaintext", 64, rate, options.seconds))
                fixed.setdefault(str(rate), {})[name] = row
                print(rate, name, row, file=sys.stderr, flush=True)
    results.save("scale", {"held": held, "fixed": fixed})


if __name__ == "__main__":
    main()
