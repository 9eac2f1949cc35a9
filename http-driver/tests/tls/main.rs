//! TLS over the runtime in memory: a client of rustls, virtual time, and certificates of the moment.

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
