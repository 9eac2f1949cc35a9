//! The expected response of a fixture: bytes, or whole messages in short form.

use std::time::{Duration, SystemTime};

use httpants_core::{Config, ProtocolError};

use crate::{steps, text};

/// The wall-clock time at which every exchange begins: Sun, 06 Nov 1994 08:49:37 GMT, the date of
/// RFC 9110's examples.
pub const WALL: u64 = 784_111_777;

/// An expected response on the wire, of the application or a refusal.
#[derive(Debug, Default)]
struct Message {
    http_1_0: bool,
    status: String,
    connection: Option<&'static str>,
    without_content: bool,
    age: Duration,
    content: Vec<u8>,
}

/// Returns the bytes of a response block.
///
/// # Errors
/// Returns an error with the line.
pub fn expand(lines: &[&str], config: &Config) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for line in lines {
        let inner = line.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match inner.filter(|inner| !inner.starts_with('"')) {
            Some(inner) => bytes.extend(encode(&parse(inner)?, config)),
            None => bytes.extend(text::unescape(line)?),
        }
    }
    Ok(bytes)
}

/// Returns the default application's response to GET of this target.
#[must_use]
pub fn ok(target: &str, connection: Option<&'static str>, age: Duration, config: &Config) -> Vec<u8> {
    let content = format!("GET {target}").into_bytes();
    encode(&Message { status: "200".into(), connection, age, content, ..Message::default() }, config)
}

fn parse(inner: &str) -> Result<Message, String> {
    let mut message = Message::default();
    let (words, content) = inner.split_at(inner.find('"').unwrap_or(inner.len()));
    for word in words.split_whitespace() {
        match word {
            "HTTP/1.0" => message.http_1_0 = true,
            "close" => message.connection = Some("close"),
            "keep-alive" => message.connection = Some("keep-alive"),
            "head" => message.without_content = true,
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => message.status = word.into(),
            _ => match word.strip_prefix('+') {
                Some(age) => message.age = steps::duration(age).ok_or_else(|| format!("no age: {word}"))?,
                None => refuse(&mut message, word)?,
            },
        }
    }
    let mut rest = content;
    while !rest.trim().is_empty() {
        let (piece, tail) = text::repetition(rest.trim_start())?;
        message.content.extend(piece);
        rest = tail;
    }
    Ok(message)
}

fn refuse(message: &mut Message, name: &str) -> Result<(), String> {
    let fault = ProtocolError::ALL.iter().find(|fault| format!("{fault:?}") == name);
    let fault = fault.ok_or_else(|| format!("an unknown word: {name}"))?;
    if message.status != fault.status().as_str() {
        return Err(format!("the status of {name} is {}", fault.status()));
    }
    message.connection = Some("close");
    message.content = format!("{}\n", fault.rule()).into_bytes();
    Ok(())
}

fn encode(message: &Message, config: &Config) -> Vec<u8> {
    let reason = match message.status.as_str() {
        "200" => "OK",
        "400" => "Bad Request",
        "408" => "Request Timeout",
        "413" => "Content Too Large",
        "414" => "URI Too Long",
        "417" => "Expectation Failed",
        "431" => "Request Header Fields Too Large",
        "501" => "Not Implemented",
        "503" => "Service Unavailable",
        "505" => "HTTP Version Not Supported",
        _ => "",
    };
    let mut head = format!("HTTP/1.{} {} {reason}\r\n", u8::from(!message.http_1_0), message.status);
    if let Some(server) = config.server {
        head.push_str(&format!("Server: {server}\r\n"));
    }
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(WALL) + message.age;
    head.push_str(&format!("Date: {}\r\n", httpdate::fmt_http_date(date)));
    head.push_str(&format!("Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n", message.content.len()));
    if let Some(option) = message.connection {
        head.push_str(&format!("Connection: {option}\r\n"));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !message.without_content {
        bytes.extend_from_slice(&message.content);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_expanded() {
        let config = crate::settings::parse("").unwrap();
        let lines = [r#"{200 close +15s "GET /" "a" * 3}"#, r"x\r\n", r#"{"y" * 2}"#];
        let expected = "HTTP/1.1 200 OK\r\nServer: httpants\r\nDate: Sun, 06 Nov 1994 08:49:52 GMT\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\nConnection: close\r\n\r\nGET /aaax\r\nyy";
        assert_eq!(String::from_utf8(expand(&lines, &config).unwrap()).unwrap(), expected);
        let refusal = expand(&["{400 Host}"], &config).unwrap();
        assert!(refusal.ends_with(b"(RFC 9110 7.2)\n"));
        for wrong in ["{401 Host}", "{400 Hostt}", r#"{200 "a}"#, "{200 +x}"] {
            assert!(expand(&[wrong], &config).is_err(), "{wrong}");
        }
    }
}
