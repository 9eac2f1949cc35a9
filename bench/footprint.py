#!/usr/bin/env python3
"""Code that a server executes for one request: instructions, and lines of the processor's instruction cache.

    footprint.py [NAME ...]     names of servers.py; default: httpants-tokio, floor-tokio, hyper, may_minihttp
    footprint.py --functions NAME     also the functions with the most lines

Each server runs under callgrind (Debian package: valgrind) while 64 connections send one plain GET in each round. The figures are
the difference of two runs, so one-time costs are excluded. A line of 64 bytes counts if at least one request of five executes
code in it. Kernel code is not included.
"""
import argparse
import collections
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import callgrind
import results
import servers

DEFAULT = ["httpants-tokio", "floor-tokio", "hyper", "may_minihttp"]
CONNECTIONS = 64
# Number of rounds in each of the two runs.
ROUNDS = (20, 120)
LINE = 64
REQUEST = b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
BODY = b"Hello, World!"


def connect(port):
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            time.sleep(0.05)
    sys.exit("the server did not start")


def ask(connections, rounds):
    for _ in range(rounds):
        for connection in connections:
            connection.sendall(REQUEST)
        for connection in connections:
            received = b""
            while not received.endswith(BODY):
                piece = connection.recv(4096)
                if not piece:
                    sys.exit("the server closed a connection")
                received += piece


def executed(command, rounds):
    """Returns how often each instruction was executed, by program, address and function."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.NamedTemporaryFile() as out:
        options = ["--tool=callgrind", "--dump-instr=yes", f"--callgrind-out-file={out.name}"]
        arguments = [argument.replace("{port}", str(port)) for argument in command]
        process = subprocess.Popen(["valgrind", *options, *arguments], env=callgrind.ENV, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            connect(port).close()
            connections = [connect(port) for _ in range(CONNECTIONS)]
            ask(connections, rounds)
            # A draining server ends at once when no connection is left.
            for connection in connections:
                connection.close()
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            process.kill()
        return parsed(out.name)


def parsed(file):
    """Reads callgrind's format: names are defined once and referenced by number, addresses may be relative."""
    names = {"ob": {}, "fn": {}}
    counts = collections.Counter()
    program = function = None
    address = 0
    is_call = False
    with open(file) as lines:
        for line in lines:
            if found := re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?", line):
                called, kind, number, name = found.groups()
                if name:
                    names[kind][number] = name
                if not called and kind == "ob":
                    program = names[kind][number]
                elif not called:
                    function = names[kind][number]
            elif line.startswith("calls="):
                is_call = True
            elif found := re.match(r"([+-]?)(0x[0-9a-f]+|\d+|\*) \S+ (\d+)$", line):
                sign, number, count = found.groups()
                if number != "*":
                    number = int(number, 0)
                    address = address + number if sign == "+" else address - number if sign == "-" else number
                # The line after a call contains the counts of the called function.
                if not is_call:
                    counts[program, address, function] += int(count)
                is_call = False
    return counts


def measure(command):
    """Returns the instructions of a request, and by function the lines that it executes."""
    few, many = (executed(command, rounds) for rounds in ROUNDS)
    requests = (ROUNDS[1] - ROUNDS[0]) * CONNECTIONS
    instructions, functions = 0, collections.defaultdict(set)
    for place, count in many.items():
        each = (count - few[place]) / requests
        instructions += each
        if each >= 0.2:
            program, address, function = place
            functions[function].add((program, address // LINE))
    return instructions, functions


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--functions", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    results.build_peers()
    commands = servers.commands(results.build_demo())
    unknown = [name for name in options.names if name not in commands or name == "nginx"]
    if unknown:
        sys.exit(f"unknown servers {unknown}: expected some of {[name for name in commands if name != 'nginx']}")
    print("| server | instructions | lines of 64 bytes | KiB |\n|---|---:|---:|---:|")
    for name in options.names or DEFAULT:
        instructions, functions = measure(commands[name])
        lines = len(set().union(*functions.values()))
        print(f"| {name} | {instructions:,.0f} | {lines} | {lines * LINE / 1024:.0f} |", flush=True)
        if options.functions:
            for function, places in sorted(functions.items(), key=lambda item: -len(item[1]))[:30]:
                print(f"    {len(places):4}  {function}")


main()
