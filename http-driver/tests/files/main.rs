//! Tests of files as responses, in memory and with a real directory.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod finding;
mod paths;
mod responses;
mod sending;
mod settings;
mod site;
mod substitutes;
