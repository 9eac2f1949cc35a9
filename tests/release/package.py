#!/usr/bin/env python3
"""Creates the packages for the registry and checks their contents.

    tests/release/package.py             # seconds: what CI does
    tests/release/package.py --verify    # builds each of them from its package: minutes

The packages stay in target/package. Nothing is uploaded.
"""

import re
import subprocess
import sys
import tarfile
import tomllib

from packages import ROOT, TARGET, Package, published

LICENSES = ["LICENSE-APACHE", "LICENSE-MIT"]
REQUIRED = {"Cargo.toml", "Cargo.lock", "README.md", *LICENSES}
EXPECTED = re.compile(
    r"Cargo\.(toml|toml\.orig|lock)|\.cargo_vcs_info\.json|README\.md|LICENSE-\w+"
    r"|(src|tests|examples)/.+\.(rs|txt)|clippy\.toml|cases\.json|dictionaries/\w+\.dict"
)
"""The files that a package may contain."""
DESCRIBED = ["description", "license", "readme", "documentation", "keywords", "categories", "rust_version"]
KIB = 1024
LIMIT = 512 * KIB
"""Maximum size of a compressed package in bytes. The registry accepts 10 MiB."""


def problems(package: Package) -> list[str]:
    """Checks the package that Cargo has created."""
    name = f"{package.name}-{package.version}"
    archive = TARGET / "package" / f"{name}.crate"
    found = [f"no {field} in Cargo.toml" for field in DESCRIBED if not package.manifest[field]]
    files = {}
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            path = member.name.removeprefix(f"{name}/")
            if not member.isfile():
                found.append(f"{path} is no file")
                continue
            files[path] = content.extractfile(member).read()
    found += [f"no {path}" for path in sorted(REQUIRED - files.keys())]
    found += [f"unexpected file {path}" for path in sorted(files) if not EXPECTED.fullmatch(path)]
    # They are symbolic links in the repository, which not every checkout supports.
    for path in LICENSES:
        if path in files and files[path] != (ROOT / path).read_bytes():
            found.append(f"{path} differs from that of the repository")
    for path, content in files.items():
        if path.endswith(".rs") and re.search(rb'include_(?:str|bytes)!\("(?:\.\./){2,}', content):
            found.append(f"{path} includes a file that is not in the package")
    found += [f"dependency without a version: {line}" for line in paths(tomllib.loads(files["Cargo.toml"].decode()))]
    size = archive.stat().st_size
    if size > LIMIT:
        found.append(f"{size // KIB} KiB, more than {LIMIT // KIB}")
    unpacked = sum(map(len, files.values()))
    print(f"{package.name:22} {len(files):4} files {unpacked // KIB:5} KiB, compressed {size // KIB:4} KiB")
    return [f"{package.name}: {problem}" for problem in found]


def paths(manifest: dict) -> list[str]:
    """Returns the dependencies of a manifest that have a path, which Cargo removes, or no version."""
    tables = [manifest, *manifest.get("target", {}).values()]
    kinds = ["dependencies", "dev-dependencies", "build-dependencies"]
    dependencies = [item for table in tables for kind in kinds for item in table.get(kind, {}).items()]
    return [name for name, value in dependencies if isinstance(value, dict) and ("path" in value or "version" not in value)]


def main() -> None:
    arguments = sys.argv[1:]
    if arguments not in ([], ["--verify"]):
        sys.exit("usage: tests/release/package.py [--verify]")
    packages = published()
    selected = [argument for package in packages for argument in ("--package", package.name)]
    # Uncommitted changes need no check here: `cargo publish` refuses them.
    command = ["cargo", "package", "--locked", "--allow-dirty", "--quiet", *selected]
    if not arguments:
        command.append("--no-verify")
    subprocess.run(command, cwd=ROOT, check=True)
    found = [problem for package in packages for problem in problems(package)]
    if found:
        sys.exit("\n".join(found))
    print("order of publishing: " + ", ".join(package.name for package in packages))


main()
