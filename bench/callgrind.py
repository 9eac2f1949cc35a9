#!/usr/bin/env python3
"""Instructions of one exchange in the core or through the driver, or of one call of the core's functions over messages,
counted by callgrind (Debian package: valgrind).

    callgrind.py [CASE ...]             one line per case
    callgrind.py --profile CASE         instructions per function
    callgrind.py --compare COMMIT       this tree and COMMIT, built by the same compiler; fails if a case needs
                                        over 3 % more instructions

The figure is the difference of two runs, so one-time costs are excluded.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "target"))
# Case: requests per iteration, and the two numbers of iterations. A comparison measures those of COMPARED.
COMPARED = {
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
    "driver-file": (1, 100, 600),
}
POLICIES = {
    "multipart-parser": (1, 10, 60),
    "urlencoded": (1, 100, 600),
    "cookies": (1, 100, 600),
    "ranges": (1, 100, 600),
}
PAGES = {
    "encoding": (1, 100, 600),
    "multipart": (1, 10, 60),
}
CASES = COMPARED | PAGES | POLICIES | {"encoding-prepared": (1, 100, 600)}
# The programs of the cases that are not compared.
MORE = ["--bin", "pages", "--bin", "policies"]
# Increase in percent over which a comparison fails.
LIMIT = 3
# callgrind counts every step of `rep movsb` as one instruction: let glibc use its vector loops.
TUNABLES = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000"
ENV = {**os.environ, "GLIBC_TUNABLES": TUNABLES}


def build(folder, target, *more):
    command = ["cargo", "build", "--release", "--quiet", "--locked", "--bin", "exchange", "--bin", "driver", *more]
    subprocess.run(command, cwd=folder, env={**os.environ, "CARGO_TARGET_DIR": target}, check=True)


def collected(command, out="/dev/null"):
    """Returns the instructions of a command."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command]
    run = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENV)
    if run.returncode:
        sys.exit(run.stderr)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def command(case, iterations, target=TARGET):
    if case in POLICIES:
        program = "policies"
    elif case in PAGES:
        program = "pages"
    else:
        program = "driver" if case.startswith("driver-") else "exchange"
    return [os.path.join(target, "release", program), case, str(iterations)]


def instructions(case, target=TARGET):
    """Returns the instructions of one request of this case."""
    requests, low, high = CASES[case]
    difference = collected(command(case, high, target)) - collected(command(case, low, target))
    return difference / ((high - low) * requests)


def profile(case):
    requests, _, iterations = CASES[case]
    with tempfile.NamedTemporaryFile() as out:
        collected(command(case, iterations), out.name)
        annotate = ["callgrind_annotate", "--threshold=97", out.name]
        text = subprocess.check_output(annotate, text=True, stderr=subprocess.DEVNULL)
    for line in text.splitlines():
        if found := re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)", line):
            each = int(found.group(1).replace(",", "")) / (iterations * requests)
            print(f"{each:10.1f}  {found.group(2)}")


def compare(commit):
    """Prints a table of both builds; returns the cases whose increase exceeds the limit."""
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        subprocess.run(["git", "-C", HERE, "worktree", "add", "--quiet", "--detach", tree, commit], check=True)
        try:
            before_target = os.path.join(TARGET, "before")
            build(os.path.join(tree, "bench"), before_target)
            print(f"{'case':<20} {'before':>12} {'now':>12}", flush=True)
            return [case for case in COMPARED if not holds(case, before_target)]
        finally:
            subprocess.run(["git", "-C", HERE, "worktree", "remove", "--force", tree], check=True)


def holds(case, before_target):
    before, now = instructions(case, before_target), instructions(case)
    change = (now / before - 1) * 100
    print(f"{case:<20} {before:12.0f} {now:12.0f} {change:+7.1f} %", flush=True)
    return change <= LIMIT


def main(arguments):
    build(HERE, TARGET, *MORE)
    match arguments:
        case ["--profile", case]:
            profile(case)
        case ["--compare", commit]:
            if worse := compare(commit):
                sys.exit(f"over {LIMIT} % more instructions than {commit}: {', '.join(worse)}")
        case cases:
            for case in cases or CASES:
                print(f"{case:<20} {instructions(case):12.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
