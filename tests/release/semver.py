#!/usr/bin/env python3
"""Checks the libraries for changes that break their users.

    tests/release/semver.py COMMIT                  # since a commit: the tag of the last release
    tests/release/semver.py COMMIT httpants-core    # some of the libraries

Needs cargo-semver-checks. Builds each library and its dependencies at both commits, in
target/semver-checks: minutes for each of them. Fails on a breaking change unless the version has changed accordingly.
"""

import subprocess
import sys

from packages import ROOT, Package, published


def check(package: Package, commit: str) -> bool:
    """Prints the breaking changes; returns true if there are none."""
    command = ["cargo", "semver-checks", "--baseline-rev", commit, "--package", package.name]
    command += ["--only-explicit-features"]
    for feature in package.features:
        command += ["--features", feature]
    return subprocess.run(command, cwd=ROOT).returncode == 0


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: tests/release/semver.py COMMIT [PACKAGE...]")
    if subprocess.run(["cargo", "semver-checks", "--version"], capture_output=True).returncode != 0:
        sys.exit("cargo-semver-checks is required: cargo install --locked cargo-semver-checks")
    commit, *names = sys.argv[1:]
    libraries = {package.name: package for package in published() if package.is_library}
    if unknown := [name for name in names if name not in libraries]:
        sys.exit(f"no library of this workspace that is published: {', '.join(unknown)}")
    broken = [name for name in names or libraries if not check(libraries[name], commit)]
    if broken:
        sys.exit(f"changes that break users: {', '.join(broken)}")


main()
