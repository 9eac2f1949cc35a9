//! A target for AFL++. `fuzz/afl/run SECONDS PROPERTY` builds and runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(property) = httpants_properties::property(&name) else {
        let names: Vec<_> = httpants_properties::PROPERTIES.iter().map(|(name, _)| *name).collect();
        eprintln!("httpants-afl: expected the name of a property: {}", names.join(", "));
        return ExitCode::from(64);
    };
    afl::fuzz!(|input: &[u8]| property(input));
    ExitCode::SUCCESS
}
