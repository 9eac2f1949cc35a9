//! The published inputs of `tests/wire/smuggling`, for peers without the harness.

use std::path::Path;
use std::{fs, io};

use crate::app::{self, Instruction};
use crate::steps::Step;
use crate::{Fixture, fixture};

/// An input, and its expected results.
#[derive(Clone, Debug)]
pub struct Input {
    /// The file, the heading, and the index among the heading's inputs.
    pub name: String,
    /// The bytes that the client sends.
    pub bytes: Vec<u8>,
    /// True if the application reads the body before it responds.
    pub reads: bool,
    /// The bytes of this server's response, with the harness's date.
    pub response: Vec<u8>,
    /// The expected events of the application.
    pub events: Vec<String>,
}

/// Returns all inputs that consist only of bytes, for an application that responds with 200, with
/// or without reading the body. Only inputs with their own application are left out.
///
/// # Errors
/// Returns errors of reading and of parsing the files.
pub fn load() -> io::Result<Vec<Input>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/smuggling");
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut inputs = Vec::new();
    for path in paths {
        let family = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let fixtures = fixture::parse(&fs::read_to_string(&path)?).map_err(io::Error::other)?;
        inputs.extend(fixtures.iter().flat_map(|fixture| of_fixture(&family, fixture)));
    }
    Ok(inputs)
}

fn of_fixture<'a>(family: &'a str, fixture: &'a Fixture) -> impl Iterator<Item = Input> + 'a {
    let usual = app::parse(app::DEFAULT).is_ok_and(|script| script == fixture.script);
    let unread = fixture.script == [Instruction::RespondWithLine];
    let bytes = fixture.inputs.iter().enumerate().filter(move |_| (usual || unread) && !fixture.configured);
    bytes.filter_map(move |(count, steps)| match steps.as_slice() {
        [Step::Bytes(bytes)] => Some(Input {
            name: format!("{family}: {}, {}", fixture.title, count + 1),
            bytes: bytes.clone(),
            reads: usual,
            response: fixture.response.clone(),
            events: fixture.events.clone(),
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn corpus_covers_the_fixtures() {
        let inputs = super::load().unwrap();
        assert!(inputs.len() > 650, "{}", inputs.len());
        assert!(inputs.iter().any(|input| !input.reads) && inputs.iter().any(|input| !input.response.is_empty()));
    }
}
