//! Tests of TLS in memory: a rustls client, virtual time, and certificates made at run time.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod application;
mod authority;
mod certificates;
mod client;
mod ends;
mod handshakes;
mod reload;
mod transfer;
