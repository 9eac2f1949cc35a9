//! Tests of handlers with the behaviour of real applications: they continue after their response,
//! drop reads, keep finished requests, use the request from any callback, panic, and lose their
//! clients. In memory and in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

mod accepting;
mod altered;
mod bodiless;
mod content_owners;
mod disconnect;
mod draining;
mod error_pages;
mod events;
mod half_close;
mod limits;
mod outlive;
mod panics;
mod reading;
mod reentrant;
mod server;
mod starvation;
mod stateful;
mod turns;
mod upgrades;
mod waiting;
mod wakers;
mod whole;
mod world;
mod writes;
