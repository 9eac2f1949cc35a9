//! Checks of texts that are written to logs.

use std::fmt::{Debug, Display};

/// Returns the `Debug` text of a value from the network, and checks that it contains no control
/// character, which a terminal or a log viewer would interpret.
///
/// # Panics
/// If it contains one.
pub fn debug(value: &impl Debug) -> String {
    printable(format!("{value:?}"))
}

/// Returns the `Display` text of a message after the same check.
///
/// # Panics
/// If it is empty or contains a control character.
pub fn display(value: &impl Display) -> String {
    let text = printable(value.to_string());
    assert!(!text.is_empty());
    text
}

fn printable(text: String) -> String {
    // Without a branch for each byte, because fuzzers count branches.
    let has_ascii_control = text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == 0x7f));
    let has_control = has_ascii_control || !text.is_ascii() && text.contains(char::is_control);
    assert!(!has_control, "{}", text.escape_debug());
    text
}
