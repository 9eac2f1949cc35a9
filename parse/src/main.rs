//! Parses bytes as HTTP/1.1 requests and prints what it finds as lines of JSON.

mod options;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use httpants_core::ProtocolError;
use httpants_parse::{Report, Verdict, every_cut, parse, status};
use serde_json::{Value, json};

use options::{Command, Cuts, HELP, Options};

/// Wrong arguments, or an input that does not match them (EX_USAGE).
const USAGE: u8 = 64;
/// An input cannot be read (EX_NOINPUT).
const NO_INPUT: u8 = 66;
/// The result depends on how the input is split, which is an error of the parser (EX_SOFTWARE).
const DIFFERENCE: u8 = 70;
/// The output cannot be written (EX_IOERR).
const NO_OUTPUT: u8 = 74;

/// An error that ends the program, and its exit status.
struct Failure(u8, String);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(NO_OUTPUT, format!("cannot write to standard output: {error}"))
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(status) => ExitCode::from(status),
        Err(Failure(status, text)) => {
            eprintln!("httpants-parse: {text}");
            ExitCode::from(status)
        }
    }
}

fn run() -> Result<u8, Failure> {
    let mut output = BufWriter::new(io::stdout().lock());
    let usage = |error: lexopt::Error| Failure(USAGE, format!("{error}; see --help"));
    let exit = match Command::parse(std::env::args_os().skip(1)).map_err(usage)? {
        Command::Help => output.write_all(HELP.as_bytes()).map(|()| 0)?,
        Command::Version => writeln!(output, "httpants-parse {}", env!("CARGO_PKG_VERSION")).map(|()| 0)?,
        Command::Rules => print_rules(&mut output).map(|()| 0)?,
        Command::Parse(options) => parse_all(&options, &mut output)?,
    };
    output.flush()?;
    Ok(exit)
}

fn print_rules(output: &mut impl Write) -> io::Result<()> {
    ProtocolError::ALL.iter().try_for_each(|error| {
        let rule = json!({
            "rule": error.id(), "status": status(*error), "rfc": error.section(), "text": error.rule(),
            "advisories": httpants_corpus::advisories(error.id()),
        });
        writeln!(output, "{rule}")
    })
}

/// Returns the worst status of all inputs.
fn parse_all(options: &Options, output: &mut impl Write) -> Result<u8, Failure> {
    let (mut worst, mut differs) = (Verdict::Accepted, false);
    for file in &options.files {
        let (input, name) = (read(file, options)?, file.to_string_lossy());
        let cuts = match &options.cuts {
            Cuts::At(cuts) => cuts.as_slice(),
            Cuts::All => &[],
        };
        if let Some(cut) = cuts.iter().find(|&&cut| cut >= input.len()) {
            let text = format!("invalid value for --cuts: {cut} is not inside {name}, which has {} bytes", input.len());
            return Err(Failure(USAGE, text));
        }
        let report = parse(&input, cuts, &options.settings);
        if !options.quiet {
            print_events(&report, output)?;
        }
        if options.cuts == Cuts::All {
            for difference in every_cut(&input, &options.settings, &report) {
                differs = true;
                let verdict = difference.report.verdict_to_json(input.len());
                writeln!(output, "{}", json!({ "event": "difference", "cuts": difference.cuts, "verdict": verdict }))?;
            }
        }
        let mut verdict = report.verdict_to_json(input.len());
        if let Value::Object(object) = &mut verdict {
            object.insert("input".into(), Value::from(name));
        }
        writeln!(output, "{verdict}")?;
        worst = worst.max(report.verdict);
    }
    Ok(match worst {
        _ if differs => DIFFERENCE,
        Verdict::Accepted => 0,
        Verdict::Refused => 1,
        _ => 2,
    })
}

fn print_events(report: &Report, output: &mut impl Write) -> io::Result<()> {
    report.events.iter().try_for_each(|event| writeln!(output, "{}", event.to_json()))?;
    report.refusal.iter().try_for_each(|refusal| writeln!(output, "{}", refusal.to_json()))
}

/// Reads a file, or standard input for `-`.
fn read(path: &Path, options: &Options) -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    let result = match path.as_os_str().to_str() {
        Some("-") => io::stdin().lock().read_to_end(&mut input),
        _ => File::open(path).and_then(|mut file| file.read_to_end(&mut input)),
    };
    result.map_err(|error| Failure(NO_INPUT, format!("cannot read {}: {error}", path.display())))?;
    if options.hex { from_hex(&input, path) } else { Ok(input) }
}

/// Decodes pairs of hexadecimal digits; white space between them is ignored.
fn from_hex(text: &[u8], path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (offset, &byte) in text.iter().enumerate() {
        let digit = char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (digit, high.take()) {
            (Some(digit), None) => high = Some(digit),
            (Some(digit), Some(high)) => bytes.push(high << 4 | digit),
            (None, None) if byte.is_ascii_whitespace() => {}
            _ => return Err(bad_hex(path, offset, "expected two hexadecimal digits for each byte")),
        }
    }
    match high {
        Some(_) => Err(bad_hex(path, text.len(), "the last byte has only one digit")),
        None => Ok(bytes),
    }
}

fn bad_hex(path: &Path, offset: usize, text: &str) -> Failure {
    Failure(USAGE, format!("invalid input for --hex in {} at offset {offset}: {text}", path.display()))
}
