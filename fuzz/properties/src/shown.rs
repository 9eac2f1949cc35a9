//! What ends up in logs.

use std::fmt::{Debug, Display};

/// What is shown of something that came from the network: it must hold no byte that a terminal
/// or a log would take for something else.
///
/// # Panics
/// Where it does.
pub fn debug(value: &impl Debug) -> String {
    printable(format!("{value:?}"))
}

/// The same of a message.
///
/// # Panics
/// Where it is empty, or holds such a byte.
pub fn display(value: &impl Display) -> String {
    let text = printable(value.to_string());
    assert!(!text.is_empty());
    text
}

fn printable(text: String) -> String {
    // Without a branch for each byte, because a fuzzer counts comparisons.
    let has_ascii_control = text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == 0x7f));
    let has_control = has_ascii_control || !text.is_ascii() && text.contains(char::is_control);
    assert!(!has_control, "{}", text.escape_debug());
    text
}
