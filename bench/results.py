"""Functions that the programs of this folder share: results.json, and builds of the servers."""
import json
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "results.json")


def load():
    if not os.path.exists(FILE):
        return {}
    with open(FILE) as file:
        return json.load(file)


def save(part, measured):
    """Replaces one part of results.json, and records the machine and the commit."""
    everything = load()
    everything[part] = {"machine": machine(), "commit": commit(), "measured": measured}
    write(everything)


def write(everything):
    with open(FILE, "w") as file:
        json.dump(everything, file, indent=1)
        file.write("\n")


def merge(part, measured):
    """Adds cases to one part of results.json; replaces those of an earlier run on this machine."""
    everything = load()
    before = everything.get(part, {})
    if before and before["machine"] != machine():
        print(f"{part}: earlier results are of another machine and are dropped", file=sys.stderr)
        before = {}
    everything[part] = {"machine": machine(), "commits": before.get("commits", {}) | dict.fromkeys(measured, commit()),
                        "measured": before.get("measured", {}) | measured}
    write(everything)


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")]
    compiler = subprocess.check_output(["rustc", "--version"], text=True).split()[1]
    return {"processors": os.cpu_count(), "model": models[0] if models else platform.machine(),
            "kernel": platform.release().split("-")[0], "rust": compiler}


def commit():
    return subprocess.check_output(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], text=True).strip()


def peers_target():
    return os.environ.get("PEERS_TARGET_DIR", os.path.join(HERE, "peers", "target"))


def build_peers():
    environment = {**os.environ, "CARGO_TARGET_DIR": peers_target()}
    command = ["cargo", "build", "--release", "--locked"]
    subprocess.run(command, cwd=os.path.join(HERE, "peers"), env=environment, check=True)


def build_demo():
    """Builds the demo and returns its path."""
    root = os.path.dirname(HERE)
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "httpants-demo"], cwd=root, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
    return os.path.join(target, "release", "demo")
