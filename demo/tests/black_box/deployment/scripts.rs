//! Short runs of the scripts in tests/field; docs/scaling.md has the results of long ones.

use crate::programs::output;

fn run(script: &str, arguments: &[&str]) {
    let path = format!("{}/../tests/field/{script}", env!("CARGO_MANIFEST_DIR"));
    let demo = ["--demo", env!("CARGO_BIN_EXE_demo")];
    println!("{}", output(&path, &[&demo, arguments].concat(), b""));
}

#[test]
#[ignore = "runs python3 and haproxy (Debian: python3, haproxy)"]
fn rolling_restart_behind_haproxy_fails_no_request() {
    run("rolling_restart", &["--requests", "5000", "--rounds", "1", "--until-down"]);
}

#[test]
#[ignore = "runs python3 (Debian: python3)"]
fn memory_and_descriptors_are_released() {
    // In a short run, memory that is allocated once is a larger part of the total.
    run("million", &["--requests", "25000", "--connections", "500", "--percent", "10"]);
}
