//! The scripted application.

use bytes::Bytes;
use http::StatusCode;
use httpants_core::{BodyLen, Connection, FieldLines, Misuse, RequestHead, RequestId, ResponseHead};

use crate::log::Log;
use crate::text;

/// The script of an application without one.
pub const DEFAULT: &str = "read; respond";

/// The instructions that the application carries out for each request.
pub type Script = Vec<Instruction>;

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Wait for the end of the body, and ask for it if the client waits for `100 Continue`.
    Read,
    /// Wait for [`Step::Go`](crate::Step::Go).
    Hold,
    /// Respond with 200, method and target.
    RespondWithLine,
    /// Set a field for the next head.
    Field(String, Vec<u8>),
    /// Set the reason phrase of the next head.
    Reason(String),
    /// Set a trailer field for the end.
    Trailer(String, Vec<u8>),
    /// Send the head of the response.
    Respond(u16, BodyLen),
    /// Send the head of a response that ends HTTP.
    Upgrade(u16),
    /// Send a piece of the body.
    Send(Bytes),
    /// End the response.
    Finish,
    /// Abort the response.
    Abort,
    /// Send 100 Continue.
    Continue,
    /// Send an interim response.
    Interim(u16),
    /// Limit the body of this request.
    Limit(u64),
    /// Stop reading the body until the next `Resume`.
    Pause,
    /// Read the body again.
    Resume,
}

/// Parses `read; respond 200 length 5; send "hello"; finish`.
///
/// # Errors
/// Returns an error for an unknown or malformed instruction.
pub fn parse(script: &str) -> Result<Script, String> {
    let mut rest = script.trim();
    let mut instructions = Vec::new();
    while !rest.is_empty() {
        let (instruction, tail) = instruction(rest)?;
        instructions.push(instruction);
        rest = tail.trim_start();
        if let Some(next) = rest.strip_prefix(';') {
            rest = next.trim_start();
        } else if !rest.is_empty() {
            return Err(format!("expected a semicolon before: {rest}"));
        }
    }
    Ok(instructions)
}

fn instruction(text: &str) -> Result<(Instruction, &str), String> {
    let (words, tail) = text.split_at(text.find([';', '"']).unwrap_or(text.len()));
    let words: Vec<_> = words.split_whitespace().collect();
    let number = |digits: &str| digits.parse().map_err(|_| format!("no number: {digits}"));
    let simple = match words.as_slice() {
        ["read"] => Instruction::Read,
        ["hold"] => Instruction::Hold,
        ["respond"] => Instruction::RespondWithLine,
        ["finish"] => Instruction::Finish,
        ["abort"] => Instruction::Abort,
        ["continue"] => Instruction::Continue,
        ["interim", status] => Instruction::Interim(status_code(status)?),
        ["pause"] => Instruction::Pause,
        ["resume"] => Instruction::Resume,
        ["limit", limit] => Instruction::Limit(number(limit)?),
        ["upgrade", status] => Instruction::Upgrade(status_code(status)?),
        ["respond", status] => Instruction::Respond(status_code(status)?, BodyLen::Known(0)),
        ["respond", status, "unknown"] => Instruction::Respond(status_code(status)?, BodyLen::Unknown),
        ["respond", status, "length", length] => {
            Instruction::Respond(status_code(status)?, BodyLen::Known(number(length)?))
        }
        [quoted @ ("field" | "trailer" | "reason" | "send")] => {
            let (bytes, tail) = text::repetition(tail)?;
            return Ok((with_text(quoted, bytes)?, tail));
        }
        _ => return Err(format!("an unknown instruction: {text}")),
    };
    Ok((simple, tail))
}

fn status_code(digits: &str) -> Result<u16, String> {
    digits.parse().map_err(|_| format!("no status: {digits}"))
}

fn with_text(word: &str, bytes: Vec<u8>) -> Result<Instruction, String> {
    if word == "send" {
        return Ok(Instruction::Send(bytes.into()));
    }
    let utf_8 = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "a name must be text".to_owned());
    if word == "reason" {
        return Ok(Instruction::Reason(utf_8(bytes)?));
    }
    let colon = bytes.iter().position(|&byte| byte == b':').ok_or("a field is \"name: value\"")?;
    let (name, value) = bytes.split_at_checked(colon).unwrap_or_default();
    let (name, value) = (utf_8(name.to_vec())?, value.get(1..).unwrap_or_default().to_vec());
    Ok(if word == "field" { Instruction::Field(name, value) } else { Instruction::Trailer(name, value) })
}

/// The application of one exchange.
#[derive(Debug)]
pub struct App {
    script: Script,
    current: Option<Current>,
}

/// The current request.
#[derive(Debug)]
struct Current {
    id: RequestId,
    instructions: std::vec::IntoIter<Instruction>,
    waits: Waits,
    line: String,
    whole: bool,
    expects_continue: bool,
    head: ResponseHead,
    trailers: FieldLines,
}

#[derive(Debug, PartialEq, Eq)]
enum Waits {
    No,
    ForEnd,
    ForGo,
}

impl App {
    /// Creates an application that carries out this script for each request. Requests for `/before`
    /// and `/after`, which are sent before and after a fixture, get the default.
    #[must_use]
    pub fn new(script: Script) -> Self {
        Self { script, current: None }
    }

    /// Returns whether the next step is the application's.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.waits == Waits::ForGo)
    }

    /// Handles a request. Without a body, [`end`](Self::end) follows at once, unless the response
    /// is already finished.
    pub fn request(&mut self, request: &RequestHead, connection: &mut Connection, log: &mut Log) {
        let script = match request.target() {
            "/before" | "/after" => vec![Instruction::Read, Instruction::RespondWithLine],
            _ => self.script.clone(),
        };
        self.current = Some(Current {
            id: request.id(),
            instructions: script.into_iter(),
            waits: Waits::No,
            line: format!("{} {}", request.method(), request.target()),
            whole: false,
            expects_continue: false,
            head: ResponseHead::default(),
            trailers: FieldLines::new(),
        });
        self.run(connection, log);
    }

    /// Handles a client that waits for 100 Continue.
    pub fn expect_continue(&mut self, connection: &mut Connection, log: &mut Log) {
        if let Some(current) = &mut self.current {
            current.expects_continue = true;
            if current.waits == Waits::ForEnd {
                current.send_continue_once(connection, log);
            }
        }
    }

    /// Handles the end of the body.
    pub fn end(&mut self, connection: &mut Connection, log: &mut Log) {
        if let Some(current) = &mut self.current {
            current.whole = true;
            if current.waits == Waits::ForEnd {
                current.waits = Waits::No;
                self.run(connection, log);
            }
        }
    }

    /// Continues after `hold`.
    pub fn continue_after_hold(&mut self, connection: &mut Connection, log: &mut Log) {
        if let Some(current) = &mut self.current
            && current.waits == Waits::ForGo
        {
            current.waits = Waits::No;
            self.run(connection, log);
        }
    }

    fn run(&mut self, connection: &mut Connection, log: &mut Log) {
        let Some(current) = &mut self.current else { return };
        while current.waits == Waits::No
            && let Some(instruction) = current.instructions.next()
        {
            if let Err(misuse) = current.execute(instruction, connection, log) {
                log.misuse(&misuse);
            }
        }
    }
}

impl Current {
    fn execute(&mut self, instruction: Instruction, connection: &mut Connection, log: &mut Log) -> Result<(), Misuse> {
        let id = self.id;
        match instruction {
            Instruction::Read if self.whole => Ok(()),
            Instruction::Read => {
                self.waits = Waits::ForEnd;
                self.send_continue_once(connection, log);
                Ok(())
            }
            Instruction::Hold => {
                self.waits = Waits::ForGo;
                Ok(())
            }
            Instruction::RespondWithLine => {
                let head = ResponseHead::with_fields(StatusCode::OK, FieldLines::text_plain());
                connection.respond_with(id, &head, self.line.clone())
            }
            Instruction::Field(name, value) => self.head.fields.push(&name, value),
            Instruction::Reason(reason) => self.head.set_reason(&reason),
            Instruction::Trailer(name, value) => self.trailers.push(&name, value),
            Instruction::Respond(status, length) => {
                self.head.status = ResponseHead::new(status)?.status;
                let head = std::mem::take(&mut self.head);
                connection.respond(id, &head, length)
            }
            Instruction::Upgrade(status) => {
                self.head.status = ResponseHead::new(status)?.status;
                let head = std::mem::take(&mut self.head);
                connection.respond_upgrade(id, &head)
            }
            Instruction::Send(content) => connection.send(id, content),
            Instruction::Finish => {
                let trailers = std::mem::take(&mut self.trailers);
                connection.finish_with_trailers(id, &trailers)
            }
            Instruction::Abort => connection.abort(id),
            Instruction::Continue => connection.send_continue(id),
            Instruction::Interim(status) => {
                let fields = std::mem::take(&mut self.head).fields;
                connection.send_interim(id, status, &fields).map(|_| ())
            }
            Instruction::Limit(limit) => connection.set_max_body_size(id, limit),
            Instruction::Pause => connection.pause(id),
            Instruction::Resume => connection.resume(id),
        }
    }

    /// Sends `100 Continue` once, if the client waits for it.
    fn send_continue_once(&mut self, connection: &mut Connection, log: &mut Log) {
        if std::mem::take(&mut self.expects_continue)
            && let Err(misuse) = connection.send_continue(self.id)
        {
            log.misuse(&misuse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_scripts_parse() {
        let script = parse("read; field \"A: b;c\"; respond 200 length 3; send \"x\" * 3; finish").unwrap();
        let expected = [
            Instruction::Read,
            Instruction::Field("A".into(), b" b;c".to_vec()),
            Instruction::Respond(200, BodyLen::Known(3)),
            Instruction::Send(Bytes::from_static(b"xxx")),
            Instruction::Finish,
        ];
        assert_eq!(script, expected);
        for wrong in
            ["fly", "respond x", "respond 200 x", "send", "field \"x\"", "read respond", "limit x", "send \"a\" b"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
