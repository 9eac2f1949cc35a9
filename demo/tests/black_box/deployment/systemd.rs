//! Tests of the units for systemd.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::table::Configuration;
use crate::programs::output;

/// Writes both units with this program into a folder; returns their paths.
fn units(folder: &Path) -> [String; 2] {
    ["httpants.service", "httpants.socket"].map(|name| {
        let mut unit = Configuration::read(name);
        if name.ends_with("service") {
            unit = unit.with("/usr/local/bin/demo", env!("CARGO_BIN_EXE_demo"));
        }
        let path = folder.join(name);
        fs::write(&path, unit.0).unwrap();
        path.display().to_string()
    })
}

#[test]
#[ignore = "runs systemd-analyze (Debian: systemd)"]
fn units_are_valid_and_confined() {
    println!("{}", super::version("systemd-analyze", "--version"));
    let folder = tempfile::tempdir().unwrap();
    let [service, socket] = units(folder.path());
    let verified = Command::new("systemd-analyze").args(["verify", &service, &socket]).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("httpants."), "{said}");
    // An exposure of at most 1.5 of 10.
    output("systemd-analyze", &["security", "--offline=true", "--threshold=15", "--no-pager", &service], b"");
}
