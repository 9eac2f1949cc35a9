#!/usr/bin/env python3
"""Build costs of a hello world: crates, CPU time of a cold release build, bytes of the program.

    hello.py [--rounds N] [NAME ...]     one row per program; all take turns in each round (default 1)
    hello.py --crates MOST               only the crates of httpants-tokio's; fails if there are more than MOST

Each program is the first one of its server's documentation, in a new project with cargo's own profile. CPU time is user and
system time of cargo and its child processes, the minimum of all rounds: on a shared machine it varies less than elapsed
time. The figures of two machines or compilers cannot be compared. Needs the network, and `strip` of binutils.
"""
import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HTTPANTS = """
use httpants_tokio::{Request, Response, Server};

async fn hello(request: Request) -> Response {
    Response::text(format!("hello, you asked for {}\\n", request.path()))
}

fn main() -> std::io::Result<()> {
    Server::new(hello).listen("127.0.0.1:8080").bind()?.run()
}
"""
AXUM = """
use axum::{Router, routing::get};

#[tokio::main]
async fn main() {
    let app = Router::new().route("/", get(|| async { "Hello, World!" }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
"""
ACTIX = """
use actix_web::{App, HttpServer, Responder, get, web};

#[get("/hello/{name}")]
async fn greet(name: web::Path<String>) -> impl Responder {
    format!("Hello {name}!")
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    HttpServer::new(|| App::new().service(greet)).bind(("127.0.0.1", 8080))?.run().await
}
"""
ADAPTER = f'httpants-tokio = {{ path = "{ROOT}/adapter-tokio"'
# Name: the dependencies, and the program.
PROGRAMS = {
    "httpants-tokio": (f"{ADAPTER} }}", HTTPANTS),
    "httpants-tokio, full": (f'{ADAPTER}, features = ["full"] }}', HTTPANTS),
    "axum": ('axum = "0.8"\ntokio = { version = "1", features = ["macros", "rt-multi-thread"] }', AXUM),
    "actix-web": ('actix-web = "4"', ACTIX),
}


def cargo(folder, *arguments):
    # A new project must not use settings of this environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_PROFILE", "RUSTFLAGS"))}
    environment["CARGO_TARGET_DIR"] = os.path.join(folder, "target")
    command = ["cargo", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def project(parent, name):
    """Creates the project of a program; returns its folder."""
    dependencies, program = PROGRAMS[name]
    folder = os.path.join(parent, name.replace(", ", "-"))
    os.makedirs(os.path.join(folder, "src"))
    with open(os.path.join(folder, "Cargo.toml"), "w") as file:
        file.write(f'[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\n{dependencies}\n')
    with open(os.path.join(folder, "src", "main.rs"), "w") as file:
        file.write(program)
    if name.startswith("httpants"):
        # The versions with which the tests were run.
        shutil.copy(os.path.join(ROOT, "Cargo.lock"), folder)
    cargo(folder, "fetch", "--quiet")
    return folder


def crates(folder):
    """Returns the number of crates that are compiled, including the program."""
    tree = cargo(folder, "tree", "--locked", "--edges", "normal,build", "--prefix", "none")
    return len({line.removesuffix(" (*)") for line in tree.splitlines() if line})


def build(folder):
    """Returns the CPU seconds of a cold build."""
    shutil.rmtree(os.path.join(folder, "target"), ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cargo(folder, "build", "--release", "--quiet", "--locked")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def stripped(folder):
    """Returns the size of the program without its symbols."""
    program = os.path.join(folder, "target", "release", "hello")
    subprocess.run(["strip", "-o", program + ".stripped", program], check=True)
    return os.path.getsize(program + ".stripped")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--crates", type=int, metavar="MOST")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or list(PROGRAMS)
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        sys.exit(f"unknown programs {unknown}: expected some of {list(PROGRAMS)}")
    with tempfile.TemporaryDirectory() as parent:
        if options.crates is not None:
            count = crates(project(parent, "httpants-tokio"))
            print(f"a hello world on httpants-tokio has {count} crates")
            sys.exit(f"expected at most {options.crates}: make optional dependencies features" if count > options.crates else 0)
        folders = {name: project(parent, name) for name in names}
        seconds = {name: [] for name in names}
        for number in range(options.rounds):
            for name in names:
                seconds[name].append(build(folders[name]))
                print(f"round {number + 1}: {name} {seconds[name][-1]:.1f} s", file=sys.stderr, flush=True)
        print("| program | crates | CPU seconds of a cold build | bytes, stripped |\n|---|---:|---:|---:|")
        for name, folder in folders.items():
            print(f"| {name} | {crates(folder)} | {min(seconds[name]):.1f} | {stripped(folder):,} |")


main()
