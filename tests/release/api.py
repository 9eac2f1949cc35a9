#!/usr/bin/env python3
"""Compares the public API of the libraries with the lists in tests/release/api.

    tests/release/api.py                   # all libraries
    tests/release/api.py httpants-core     # some of them
    UPDATE_API=1 tests/release/api.py      # writes the lists again

Needs a nightly toolchain, and cargo-public-api of a version that reads its output. The lists have all
features; without implementations of auto traits and for all types, and without the methods of common traits.
"""

import difflib
import os
import re
import subprocess
import sys

from packages import ROOT, Package, published

FOLDER = ROOT / "tests/release/api"
VERSION = "0.52.0"
COMMON = re.compile(
    r"pub fn \S+::(fmt|clone|eq|hash|cmp|partial_cmp|drop)\(&.*|impl.* core::marker::StructuralPartialEq for .*"
)
"""Items that are left out, because the line of the implementation implies them."""


def listed(package: Package) -> str:
    """Returns the public API, one item per line."""
    command = ["cargo", "+nightly", "public-api", "-ss", "--color=never", "--package", package.name]
    if package.features:
        command += ["--features", ",".join(package.features)]
    items = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    lines = []
    is_repeated = False
    for item in items:
        if item.startswith("pub mod "):
            # The driver also exports this module at its root.
            is_repeated = "::application" in item
        if not is_repeated and not COMMON.fullmatch(item):
            lines.append(f"{item}\n")
    return "".join(lines)


def main() -> None:
    version = subprocess.run(["cargo", "public-api", "--version"], capture_output=True, text=True).stdout
    if version.split() != ["cargo-public-api", VERSION]:
        sys.exit(f"cargo-public-api is required: cargo install --locked --version {VERSION} cargo-public-api")
    libraries = {package.name: package for package in published() if package.is_library}
    names = sys.argv[1:] or list(libraries)
    if unknown := [name for name in names if name not in libraries]:
        sys.exit(f"no library of this workspace that is published: {', '.join(unknown)}")
    changed = []
    for name in names:
        file = FOLDER / f"{name}.txt"
        now = listed(libraries[name])
        before = file.read_text() if file.exists() else ""
        print(f"{name}: {len(now.splitlines())} items")
        if now == before:
            continue
        if os.environ.get("UPDATE_API") == "1":
            FOLDER.mkdir(exist_ok=True)
            file.write_text(now)
            continue
        changed.append(name)
        lines = difflib.unified_diff(before.splitlines(), now.splitlines(), "listed", "public", "", "", 0, "")
        print("\n".join(lines))
    if changed:
        sys.exit(f"the public API changed: {', '.join(changed)}. If it should, run UPDATE_API=1 tests/release/api.py")


main()
