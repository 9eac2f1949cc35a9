//! Tests of compression, server-sent events and interim responses: through the sockets of each
//! adapter, and with curl, Node.js, Python and Chromium.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod programs;
mod site;
mod sockets;
