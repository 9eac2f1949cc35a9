//! The harness of the wire fixtures: a scripted peer, transport, clock and application for one
//! [`Connection`](httpants_core::Connection), without IO.
//!
//! [`Fixture`] parses the Markdown of `tests/wire`; [`Exchange`] carries out a list of [`Step`]s
//! and returns an [`Outcome`]: the events as text, and the response bytes. The same steps can be
//! carried out in many [`Style`]s and at any splits; the outcome must not change.

pub mod app;
#[cfg(doctest)]
pub mod book;
pub mod corpus;
pub mod cuts;
pub mod ends;
pub mod exchange;
pub mod expected;
pub mod fixture;
pub mod handler;
pub mod log;
pub mod rows;
pub mod settings;
pub mod steps;
pub mod text;
pub mod transport;

pub use app::Script;
pub use exchange::{End, Exchange, Outcome, Style};
pub use fixture::Fixture;
pub use steps::Step;
