//! Shows how [`httpants_core`] parses bytes as HTTP/1.1 requests: for people who attack, test and
//! compare HTTP parsers. The program `httpants-parse` is a command line around this library.
//!
//! ```
//! use httpants_parse::{Settings, Verdict, parse};
//!
//! let report = parse(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", &[], &Settings::default());
//! assert_eq!(report.verdict, Verdict::Refused);
//! let refusal = report.refusal.unwrap();
//! assert_eq!((refusal.error.id(), refusal.error.status().as_u16(), refusal.offset), ("field-name", 400, 16));
//! ```

mod application;
mod cuts;
mod event;
mod json;
mod report;
mod run;
mod settings;

pub use application::Application;
pub use cuts::{Difference, every_cut};
pub use event::{Event, Field};
pub use json::bytes as json_of_bytes;
pub use report::{Refused, Report, Verdict, status};
pub use run::parse;
pub use settings::{Settings, StreamEnd};
