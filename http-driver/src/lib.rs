//! The driver.
pub mod runtime;
