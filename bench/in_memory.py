#!/usr/bin/env python3
"""Cost of one exchange without a socket, and of the core's functions on messages: httpants compared with other crates.

    in_memory.py [--cases NAME,...] [--rounds N]       default: 7

Checks that all return the same, correct results; then prints nanoseconds, instructions and allocations of one
request, and adds them to results.json. Time is the minimum of the rounds, each of which measures all; instructions and
allocations are counted by valgrind.
"""
import argparse
import email.utils
import os
import re
import resource
import subprocess
import sys
import urllib.parse

import callgrind
import results

HERE = os.path.dirname(os.path.abspath(__file__))
HEADS = ["httparse", "http-net-best", "http-net-ordinary", "actix-codec", "hyper"]
# httparse parses only heads, and actix's codec needs its dispatcher for bodies.
BODIES = ["http-net-best", "http-net-ordinary", "hyper"]
# Case: the programs that are compared with httpants.
CASES = {
    **dict.fromkeys(["min", "wrk", "browser", "wrk-x16", "browser-x16"], HEADS),
    **dict.fromkeys(["content-length-1m", "chunked-4k-1m"], BODIES),
    "driver-wrk": ["hyper"],
    "driver-wrk-x16": ["hyper"],
    "encoding": ["httpants-prepared", "http-net-best", "http-net-ordinary", "actix-codec", "hyper"],
    "multipart": ["hyper"],
    "multipart-parser": ["multer", "actix-multipart"],
    "urlencoded": ["form_urlencoded", "form_urlencoded-owned"],
    "cookies": ["cookie"],
    "ranges": ["headers", "http-range-header"],
}
TEXT = {"content-type": "text/plain"}
PAGE = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "private, max-age=0, must-revalidate",
    "vary": "Accept-Encoding, Cookie",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    "referrer-policy": "strict-origin-when-cross-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "etag": '"6553f100-13d"',
    "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    "set-cookie": "session=4f1c9a7be2d84c0fa1b2c3d4e5f60718; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000",
}
# Three short texts, and a file of 64 KiB.
FORM = "4 65583"
RANGE = f"""206 1048576 1048576
accept-ranges: "bytes"
cache-control: "max-age=604800"
content-range: "bytes 1048576-2097151/104857600"
content-type: "video/mp4"
etag: "\\"2a-6400000-6553f100.0\\""
expires: "{email.utils.formatdate(1_795_352_400 + 604_800, usegmt=True)}"
last-modified: "Tue, 14 Nov 2023 22:13:20 GMT"
"""


def command(name, case, iterations):
    if name == "httpants":
        return callgrind.command(case, iterations)
    if name == "httpants-prepared":
        return callgrind.command(f"{case}-prepared", iterations)
    program = "policies" if case in callgrind.POLICIES else "in_memory"
    path = os.path.join(results.peers_target(), "release", program)
    return [path, name, case.removeprefix("driver-"), str(iterations)]


def responses(output):
    """Returns the fields and the body of each response; fails if one is malformed or has another status than 200."""
    found = []
    while output:
        head, output = output.split("\r\n\r\n", 1)
        status, *lines = head.split("\r\n")
        if not status.startswith("HTTP/1.1 200 "):
            raise ValueError(status)
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(fields["content-length"])
        found.append((fields, output[:length]))
        output = output[length:]
    return found


def are_correct(output, case):
    """Returns whether these are the expected responses of a case, each with these fields and this body."""
    body, expected = FORM if case == "multipart" else "Hello, World!", PAGE if case == "encoding" else TEXT
    found = responses(output)
    return len(found) == callgrind.CASES[case][0] and all(
        content == body and "date" in fields and all(fields[name].startswith(value) for name, value in expected.items())
        for fields, content in found)


def is_correct(output, case):
    match case:
        case "multipart-parser":
            return output == FORM
        case "urlencoded":
            with open(os.path.join(HERE, "inputs", "urlencoded.txt")) as file:
                pairs = urllib.parse.parse_qsl(file.read().rstrip("\n"))
            return output == "".join(f"{text}\0" for pair in pairs for text in pair)
        case "cookies":
            return output == "8 alice bob HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000"
        case "ranges":
            return output == RANGE
        case _:
            return are_correct(output, case)


def check(name, case):
    output = subprocess.run(command(name, case, 2), stdout=subprocess.PIPE, check=True).stdout.decode()
    if not is_correct(output, case):
        sys.exit(f"{name} returned a wrong result in {case}: {output!r}")


def user_seconds(arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def allocations(arguments):
    run = subprocess.run(["valgrind", "--tool=memcheck", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"total heap usage: ([\d,]+) allocs", run.stderr).group(1).replace(",", ""))


def difference(name, case, measure, scale=1):
    """Returns the cost of one request, without one-time costs."""
    requests, low, high = callgrind.CASES[case]
    low, high = low * scale, high * scale
    return (measure(command(name, case, high)) - measure(command(name, case, low))) / ((high - low) * requests)


def measure(case, rounds):
    names = ["httpants", *CASES[case]]
    for name in names:
        check(name, case)
    # Long enough for a clock with a resolution of 10 ms.
    scale = 20 if "1m" in case else 400
    times = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            times[name].append(difference(name, case, user_seconds, scale))
    rows = {}
    for name in names:
        rows[name] = {
            "nanoseconds": min(times[name]) * 1e9,
            "instructions": difference(name, case, callgrind.collected),
            "allocations": difference(name, case, allocations),
        }
        print(f"{case:<20} {name:<22}" + "".join(f" {value:12.1f}" for value in rows[name].values()), flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if unknown := [case for case in options.cases if case not in CASES]:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(CASES)}")
    callgrind.build(HERE, callgrind.TARGET, *callgrind.MORE)
    results.build_peers()
    results.merge("in_memory", {case: measure(case, options.rounds) for case in options.cases})


if __name__ == "__main__":
    main()
