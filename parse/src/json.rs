//! Bytes and ranges as JSON.

use std::fmt::Write;
use std::ops::Range;

use serde_json::{Value, json};

/// Returns bytes as JSON: a string if they are UTF-8, otherwise an object with the single key `hex`
/// and two lower-case digits for each byte. Both can be converted back without loss and without
/// ambiguity.
///
/// ```
/// use httpants_parse::json_of_bytes;
///
/// assert_eq!(json_of_bytes("ü\0".as_bytes()).to_string(), r#""ü\u0000""#);
/// assert_eq!(json_of_bytes(b"a\xff").to_string(), r#"{"hex":"61ff"}"#);
/// ```
#[must_use]
pub fn bytes(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "hex": hex(bytes) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn range(range: &Range<u64>) -> Value {
    json!([range.start, range.end])
}
