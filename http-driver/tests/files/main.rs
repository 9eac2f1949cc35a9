//! Files as answers, over the runtime in memory and a real directory.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod answers;
mod paths;
mod sending;
mod site;
