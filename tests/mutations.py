#!/usr/bin/env python3
"""Applies the faults of tests/mutations one by one, in a copy of the tree, and checks that
the tests catch each of them.

    python3 tests/mutations.py            # all of them
    python3 tests/mutations.py framing    # those with this word in their title, file or test

The copy and its build are kept in target/mutations, so that the next run is faster.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "mutations"
TREE = WORK / "tree"
SECONDS = 120
"""Timeout of a test; exceeding it counts as a caught fault."""
BYTES = 8 << 30
"""Limit of address space, so that a fault that allocates endlessly does not affect the machine."""

CORE_SUITES = "attributes connection handshake memory requests responses refusals replaced_refusals half_close lent".split()
CORE, TESTS = ["--package", "httpants-core"], ["--package", "httpants-tests"]
SUITES = {
    "lib": [*CORE, "--lib"],
    **{name: [*CORE, "--test", name] for name in CORE_SUITES},
    **{name: [*TESTS, "--test", name] for name in ("wire", "limits", "timers", "simulation")},
}
"""The suites that `caught by` can name, in the order in which they are tried if it is missing."""


@dataclass
class Fault:
    title: str
    file: str
    caught_by: str
    old: str
    new: str

    def apply(self, source):
        """Returns the source with the fault; raises an error if its text does not occur exactly once."""
        if (count := source.count(self.old)) != 1:
            raise ValueError(f"{self.title}: its text occurs {count} times in {self.file}")
        return source.replace(self.old, self.new)


def read_faults(path):
    """Returns the faults of one document; tests/mutations/README.md describes the format."""
    for section in path.read_text().split("\n## ")[1:]:
        title, text = section.split("\n", 1)
        fields = dict(re.findall(r"^(file|caught by): (.+)$", text, re.MULTILINE))
        lines = text.split("```diff\n")[1].split("\n```")[0].split("\n")
        old, new = ("\n".join(line[1:] for line in lines if line[:1] == sign) for sign in "-+")
        yield Fault(title, fields["file"], fields.get("caught by", ""), old, new)


def sources():
    """Returns the project's files, as paths below its root."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ("target", ".git", "mutants.out")]
        yield from (Path(folder, name).relative_to(ROOT) for name in files)


def write(path, content):
    """Writes only changed files, because Cargo compares modification times."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def mirror():
    """Updates the copy to the state of the tree."""
    wanted = set(sources())
    if TREE.is_dir():
        for path in [path for path in TREE.rglob("*") if path.is_file()]:
            if path.relative_to(TREE) not in wanted:
                path.unlink()
    for path in wanted:
        write(TREE / path, (ROOT / path).read_bytes())


def run(suite, name=None):
    """Runs a suite, or one test of it, in the copy. Returns the tests that fail; a suite that
    crashes or hangs counts as its failing test."""
    command = ["cargo", "test", "--quiet", "--locked", *SUITES[suite], "--", "--format", "pretty"]
    command += ["--exact", name] if name else []
    settings = {
        "CARGO_TARGET_DIR": str(WORK / "build"),
        "CARGO_INCREMENTAL": "1",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_TERM_COLOR": "never",
    }
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with subprocess.Popen(
        command, cwd=TREE, env=os.environ | settings, preexec_fn=limit, start_new_session=True, **pipes
    ) as process:
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return [f"{suite} {name or ''} (it does not end)"]
    if "could not compile" in output:
        raise ValueError("it does not compile\n" + output)
    if name and "running 1 test\n" not in output:
        raise ValueError(f"there is no test {suite} {name}\n{output}")
    if process.returncode == 0:
        return []
    failed = re.findall(r"^test (\S+) \.\.\. FAILED$", output, re.MULTILINE)
    return [f"{suite} {test}" for test in failed] or [f"{suite} {name or ''} (it dies)"]


def catch(fault):
    """Applies a fault and returns the tests that catch it: the named one, otherwise all of
    the first suite that catches it."""
    path = TREE / fault.file
    right = path.read_text()
    write(path, fault.apply(right).encode())
    try:
        if fault.caught_by and (failed := run(*fault.caught_by.split(" "))):
            return failed
        for suite in SUITES:
            if failed := run(suite):
                return failed
        return []
    finally:
        write(path, right.encode())


def main(words):
    paths = sorted(path for path in (ROOT / "tests/mutations").glob("*.md") if path.name != "README.md")
    faults = [fault for path in paths for fault in read_faults(path)]
    for fault in faults:
        fault.apply((ROOT / fault.file).read_text())
    chosen = [f for f in faults if all(word in f"{f.title} {f.file} {f.caught_by}" for word in words)]
    mirror()
    for suite in sorted({fault.caught_by.split(" ")[0] for fault in chosen if fault.caught_by}):
        if failed := run(suite):
            sys.exit(f"tests fail without a fault: {failed}")
    start, odd = time.monotonic(), []
    for number, fault in enumerate(chosen, 1):
        before = time.monotonic()
        try:
            failed = catch(fault)
        except ValueError as error:
            failed = [str(error)]
        as_said = any(test.startswith(fault.caught_by) for test in failed) if fault.caught_by else False
        verdict = "caught" if as_said else f"caught by {', '.join(failed)}" if failed else "SURVIVES"
        if not as_said:
            odd.append(f"{fault.title}: {verdict}")
        print(f"{number}/{len(chosen)} {time.monotonic() - before:.0f} s  {fault.title}: {verdict}", flush=True)
    print(f"{len(chosen)} faults, {len(chosen) - len(odd)} caught by the named test, {time.monotonic() - start:.0f} s")
    if odd:
        sys.exit("not caught by the named test:\n" + "\n".join(odd))


if __name__ == "__main__":
    main(sys.argv[1:])
