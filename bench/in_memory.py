#!/usr/bin/env python3
"""Cost of one exchange without a socket: httpants' core beside the protocol code of other servers.

    in_memory.py [--rounds N]       default: 7

Prints nanoseconds, instructions and allocations of one request, and adds them to results.json. Time is the
least of the rounds, in which all take turns; instructions and allocations are counted by valgrind.
"""
import argparse
import os
import re
import resource
import subprocess

import callgrind
import results

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ["httparse", "http-net-best", "http-net-ordinary", "actix-codec", "hyper"]
CASES = ["min", "wrk", "browser", "wrk-x16", "browser-x16", "content-length-1m", "chunked-4k-1m"]
# httparse parses heads only, and actix's codec needs its dispatcher for bodies.
WITHOUT_BODIES = ["httparse", "actix-codec"]


def command(name, case, iterations):
    if name == "httpants":
        return callgrind.command(case, iterations)
    return [os.path.join(results.peers_target(), "release", "in_memory"), name, case, str(iterations)]


def user_seconds(arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def allocations(arguments):
    run = subprocess.run(["valgrind", "--tool=memcheck", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"total heap usage: ([\d,]+) allocs", run.stderr).group(1).replace(",", ""))


def difference(name, case, measure, scale=1):
    """Returns the measure of one request, without what is measured once."""
    requests, low, high = callgrind.CASES[case]
    low, high = low * scale, high * scale
    return (measure(command(name, case, high)) - measure(command(name, case, low))) / ((high - low) * requests)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    callgrind.build(HERE, callgrind.TARGET)
    results.build_peers()
    measured = {}
    for case in CASES:
        names = ["httpants"] + [name for name in PEERS if "1m" not in case or name not in WITHOUT_BODIES]
        # Long enough for a clock of 10 ms or better.
        scale = 20 if "1m" in case else 400
        times = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                times[name].append(difference(name, case, user_seconds, scale))
        for name in names:
            row = {
                "nanoseconds": min(times[name]) * 1e9,
                "instructions": difference(name, case, callgrind.collected),
                "allocations": difference(name, case, allocations),
            }
            measured.setdefault(case, {})[name] = row
            print(f"{case:<20} {name:<20}" + "".join(f" {value:12.1f}" for value in row.values()), flush=True)
    results.save("in_memory", measured)


if __name__ == "__main__":
    main()
