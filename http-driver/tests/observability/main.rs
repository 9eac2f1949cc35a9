//! Tests of the access log, counters and spans, in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

mod access_log;
mod counters;
mod events;
mod site;
mod stderr;
