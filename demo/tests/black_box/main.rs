//! Black-box tests of the demo: the built program is started, used through sockets and by other
//! programs, and stopped by signals.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

mod activation;
mod browser;
mod browser_events;
mod browser_page;
mod client;
mod command_line;
mod compression;
mod cookies;
mod demo;
mod deployment;
mod draining;
mod events;
mod files;
#[cfg(target_os = "linux")]
mod hostile;
mod large_upload;
mod listening;
mod nginx;
mod nginx_files;
mod page;
mod port;
mod process;
mod programs;
mod protocol;
mod proxies;
mod refusal_programs;
mod routes;
mod runtimes;
mod session;
mod timeouts;
mod tls;
mod tls_programs;
mod upload_programs;
mod uploads;
mod websocket;
