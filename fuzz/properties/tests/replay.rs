//! Tests of the committed corpora and found cases, and of the completeness of targets, properties
//! and dictionaries.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use httpants_properties::{PROPERTIES, Property};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).map(|found| found.map(|entry| entry.unwrap().path()).collect());
    let mut files: Vec<_> = found.unwrap_or_default();
    files.sort();
    files
}

fn replay(name: &str, property: Property) {
    let corpus = entries(&fuzz().join("corpus").join(name));
    assert!(!corpus.is_empty(), "no corpus of {name}");
    for file in corpus.iter().chain(&entries(&fuzz().join("found").join(name))) {
        let data = fs::read(file).unwrap();
        if let Err(panic) = std::panic::catch_unwind(|| property(&data)) {
            eprintln!("{}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
}

macro_rules! replays {
    ($($property:ident)*) => {$(
        #[test]
        fn $property() {
            replay(stringify!($property), httpants_properties::$property::check);
        }
    )*};
}

replays!(chunked connection cookies files head multipart proxies proxy_protocol raw response target urlencoded);

/// Each property has a target of one line and a dictionary, and there are no others.
#[test]
fn every_target_has_a_property_and_a_dictionary() {
    let properties: BTreeSet<String> = PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    for folder in ["fuzz_targets", "properties/dictionaries", "corpus"] {
        let stems: BTreeSet<String> = entries(&fuzz().join(folder))
            .iter()
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(stems, properties, "{folder}");
    }
    for name in &properties {
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        let line = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| httpants_properties::{name}::check(data));");
        assert_eq!(target.lines().collect::<Vec<_>>(), ["#![no_main]", &line]);
    }
}
