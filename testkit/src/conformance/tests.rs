//! The suite on the in-memory runtime.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::InMemory;

crate::conformance_suite!(InMemory, without sockets);
crate::conformance_suite!(InMemory, peers only);

#[cfg(target_os = "linux")]
crate::conformance_cases! { InMemory:
    mod sendfile {
        linux::file_is_sent_from_the_given_offset_to_its_end
        linux::file_offsets_over_31_bits_are_supported
        linux::sending_a_file_waits_for_a_slow_reader
    }
}

#[test]
fn every_case_is_in_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let list = fs::read_to_string(folder.join("suite.rs")).unwrap();
    let list: Vec<_> = list.split_whitespace().filter(|word| word.contains("::")).collect();
    let mut cases = BTreeSet::new();
    for file in fs::read_dir(folder.join("cases")).unwrap().map(|entry| entry.unwrap().path()) {
        let module = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&file).unwrap();
        let names = source.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split_once('<'));
        cases.extend(names.map(|(name, _)| format!("{module}::{name}")));
    }
    assert!(cases.len() > 80, "{} cases were read", cases.len());
    for case in &cases {
        assert_eq!(list.iter().filter(|listed| *listed == case).count(), 1, "{case} is not in the list once");
    }
}
