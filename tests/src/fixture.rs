//! The parser of fixtures in Markdown.

use std::sync::Arc;

use httpants_core::Config;

use crate::app::{self, Script};
use crate::steps::{self, Step};
use crate::{expected, settings};

/// One section of a fixture file.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The text of its heading.
    pub title: String,
    /// The line of the heading, from 1.
    pub line: usize,
    /// The rows of `docs/protocol.md` that the fixture tests.
    pub rows: Vec<String>,
    /// The sources of the input: advisories, sections of an RFC, titles of research.
    pub sources: Vec<String>,
    /// The configuration.
    pub config: Arc<Config>,
    /// True if the fixture has its own settings.
    pub configured: bool,
    /// The script of the application.
    pub script: Script,
    /// The expected number of writes when the whole input arrives at once.
    pub writes: Option<usize>,
    /// True if the fixture cannot be run with requests before and after it.
    pub alone: bool,
    /// The inputs; each must lead to the same events and the same response.
    pub inputs: Vec<Vec<Step>>,
    /// The expected lines of the log.
    pub events: Vec<String>,
    /// The expected bytes.
    pub response: Vec<u8>,
}

/// A section while it is parsed.
#[derive(Debug, Default)]
struct Section<'a> {
    line: usize,
    title: &'a str,
    header: Vec<(&'a str, &'a str)>,
    blocks: Vec<(&'a str, Vec<&'a str>)>,
}

/// Parses a fixture file.
///
/// # Errors
/// Returns an error with its section.
pub fn parse(document: &str) -> Result<Vec<Fixture>, String> {
    let sections = sections(document)?;
    sections.iter().map(|section| section.fixture().map_err(|error| format!("{}: {error}", section.title))).collect()
}

const HEADER: [&str; 6] = ["row", "source", "config", "app", "writes", "alone"];

fn sections(document: &str) -> Result<Vec<Section<'_>>, String> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { line: at + 1, title, ..Section::default() });
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            section.blocks.push((kind, block));
        } else if let Some((name, value)) = line.split_once(':').filter(|(name, _)| HEADER.contains(name)) {
            section.header.push((name, value.trim()));
        }
    }
    Ok(sections)
}

impl Section<'_> {
    fn fixture(&self) -> Result<Fixture, String> {
        let list = |name: &str, separator: char| -> Vec<_> {
            let list = self.header(name).map(|list| list.split(separator).map(|item| item.trim().to_owned()));
            list.into_iter().flatten().collect()
        };
        let config = settings::parse(self.header("config").unwrap_or_default())?;
        let writes = self.header("writes").map(str::parse).transpose().map_err(|_| "writes must be a number")?;
        Ok(Fixture {
            title: self.title.to_owned(),
            line: self.line,
            rows: list("row", ','),
            sources: list("source", ';'),
            configured: self.header("config").is_some(),
            script: app::parse(self.header("app").unwrap_or(app::DEFAULT))?,
            writes,
            alone: self.header("alone").is_some(),
            inputs: self.inputs()?,
            events: self.block("events")?.iter().map(|&line| line.to_owned()).collect(),
            response: expected::expand(self.block("response")?, &config)?,
            config: Arc::new(config),
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.header.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    fn block(&self, kind: &str) -> Result<&[&str], String> {
        match self.blocks.iter().filter(|(other, _)| *other == kind).collect::<Vec<_>>().as_slice() {
            [(_, lines)] => Ok(lines),
            _ => Err(format!("expected exactly one block of {kind}")),
        }
    }

    /// Returns each input block; one with a line `{each}` once for each line of the block after it.
    fn inputs(&self) -> Result<Vec<Vec<Step>>, String> {
        let mut inputs = Vec::new();
        let mut blocks = self.blocks.iter().peekable();
        while let Some((kind, lines)) = blocks.next() {
            match *kind {
                "input" if lines.contains(&"{each}") => {
                    let Some((_, each)) = blocks.next_if(|(kind, _)| *kind == "each") else {
                        return Err("expected a block each after {each}".into());
                    };
                    for &one in each {
                        let lines: Vec<_> = lines.iter().map(|&l| if l == "{each}" { one } else { l }).collect();
                        inputs.push(steps::parse(&lines)?);
                    }
                }
                "input" => inputs.push(steps::parse(lines)?),
                "events" | "response" => {}
                other => return Err(format!("an unknown block: {other}")),
            }
        }
        if inputs.is_empty() { Err("missing input block".into()) } else { Ok(inputs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENCE: &str = "```";

    fn document(body: &str) -> String {
        body.replace("~~~", FENCE)
    }

    #[test]
    fn sections_are_parsed() {
        let text = document(
            "# Title\nprose\n## One\nrow: a, b\nsource: RFC 9110 5.1; \"x\"\nconfig: limits.head = 9\nwrites: 1\n\n~~~input\nG\n~~~\n\
             ~~~input\nx\n{each}\n~~~\n~~~each\ny\n{eof}\n~~~\n~~~events\nend\n~~~\n~~~response\n~~~\n",
        );
        let fixtures = parse(&text).unwrap();
        let one = &fixtures[0];
        assert_eq!((one.title.as_str(), one.line, one.writes, one.alone), ("One", 3, Some(1), false));
        assert_eq!((&one.rows[..], &one.sources[1]), (&["a".into(), "b".into()][..], &"\"x\"".into()));
        assert_eq!(one.config.limits.head, 9);
        let bytes = |bytes: &[u8]| Step::Bytes(bytes.to_vec());
        assert_eq!(one.inputs, [vec![bytes(b"G")], vec![bytes(b"xy")], vec![bytes(b"x"), Step::Eof]]);
        assert_eq!(one.events, ["end"]);
    }

    #[test]
    fn invalid_input_is_an_error() {
        for body in [
            "## A\nrow: a\n~~~input\n~~~\n~~~events\n~~~\n",
            "## A\nrow: a\n~~~events\n~~~\n~~~response\n~~~\n",
            "## A\nrow: a\n~~~input\n{each}\n~~~\n~~~events\n~~~\n~~~response\n~~~\n",
            "## A\nrow: a\napp: fly\n~~~input\n~~~\n~~~events\n~~~\n~~~response\n~~~\n",
            "## A\nrow: a\n~~~inputs\n~~~\n~~~events\n~~~\n~~~response\n~~~\n",
        ] {
            assert!(parse(&document(body)).is_err(), "{body}");
        }
    }
}
