//! The harness behind the wire fixtures: a peer, a transport, a clock and an application, all
//! of them scripted and without IO, around one [`Connection`](httpants_core::Connection).
//!
//! [`Fixture`] reads the Markdown of `tests/wire`; [`Exchange`] carries a list of [`Step`]s out
//! and gives an [`Outcome`]: the events as text, and the bytes that were answered. The same
//! steps can be carried out in many [`Style`]s and at any cuts; the outcome must not change.

pub mod answer;
pub mod app;
pub mod corpus;
pub mod cuts;
pub mod ends;
pub mod exchange;
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
