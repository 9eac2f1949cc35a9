"""The published packages, in an order in which each follows its dependencies."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


@dataclass
class Package:
    name: str
    version: str
    manifest: dict
    """The package in the output of `cargo metadata`."""
    needs: set[str]
    """The packages of this workspace that must be published before it."""

    @property
    def is_library(self) -> bool:
        return any("lib" in target["kind"] for target in self.manifest["targets"])

    @property
    def features(self) -> list[str]:
        """The features that docs.rs documents: all, except alternatives for the same API."""
        documented = ((self.manifest["metadata"] or {}).get("docs") or {}).get("rs") or {}
        if documented.get("all-features"):
            return sorted(self.manifest["features"])
        return documented.get("features", [])


def published() -> list[Package]:
    """Returns the packages without `publish = false`. Exits if one depends on another that is not published, or
    if they depend on each other."""
    command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"]
    members = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    packages = {}
    for member in members:
        if member["publish"] == []:
            continue
        # A dev-dependency without a version is left out of the package.
        needs = {
            dependency["name"]
            for dependency in member["dependencies"]
            if dependency.get("path") and not (dependency["kind"] == "dev" and dependency["req"] == "*")
        }
        packages[member["name"]] = Package(member["name"], member["version"], member, needs)
    for package in packages.values():
        for name in package.needs - packages.keys():
            sys.exit(f"{package.name} is published and needs {name}, which is not")
    try:
        order = list(TopologicalSorter({name: package.needs for name, package in packages.items()}).static_order())
    except CycleError as error:
        sys.exit(f"packages that need each other cannot be published: {' -> '.join(error.args[1])}")
    return [packages[name] for name in order]
