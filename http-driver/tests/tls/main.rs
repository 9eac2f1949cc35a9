//! Tests of TLS in memory: a rustls client, virtual time, and certificates made at run time.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod application;
mod authority;
mod certificates;
mod client;
mod ends;
mod handshakes;
mod reload;
mod transfer;
