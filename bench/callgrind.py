#!/usr/bin/env python3
"""Instructions of one exchange in the core or through the driver, counted by callgrind (Debian package: valgrind).

    callgrind.py [CASE ...]             one line per case
    callgrind.py --profile CASE         instructions per function

The figure is the difference of two runs, so one-time costs are excluded.
"""
import os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "target"))
# Case: requests per iteration, and the two numbers of iterations.
CASES = {
    "min": (1, 100, 600),
    "wrk": (1, 100, 600),
    "browser": (1, 100, 600),
    "wrk-x16": (16, 20, 60),
    "browser-x16": (16, 20, 60),
    "content-length-1m": (1, 5, 15),
    "chunked-4k-1m": (1, 5, 15),
    "head-15k-bytewise": (1, 2, 4),
    "head-30k-bytewise": (1, 2, 4),
    "head-60k-bytewise": (1, 2, 4),
    "driver-wrk": (1, 100, 600),
    "driver-wrk-x16": (16, 100, 600),
}
# callgrind counts every step of `rep movsb` as one instruction: let glibc use its vector loops.
TUNABLES = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000"
ENV = {**os.environ, "GLIBC_TUNABLES": TUNABLES}


def count(case, iterations, out="/dev/null"):
    binary = os.path.join(TARGET, "release", "driver" if case.startswith("driver-") else "exchange")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary, case, str(iterations)]
    run = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENV)
    if run.returncode:
        sys.exit(run.stderr)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def profile(case):
    requests, _, iterations = CASES[case]
    with tempfile.NamedTemporaryFile() as out:
        count(case, iterations, out.name)
        annotate = ["callgrind_annotate", "--threshold=97", out.name]
        text = subprocess.check_output(annotate, text=True, stderr=subprocess.DEVNULL)
    for line in text.splitlines():
        if found := re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)", line):
            each = int(found.group(1).replace(",", "")) / (iterations * requests)
            print(f"{each:10.1f}  {found.group(2)}")


def main(arguments):
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=HERE, check=True)
    if arguments[:1] == ["--profile"]:
        return profile(arguments[1])
    for case in arguments or CASES:
        requests, low, high = CASES[case]
        each = (count(case, high) - count(case, low)) / ((high - low) * requests)
        print(f"{case:<20} {each:12.0f}", flush=True)


main(sys.argv[1:])
