//! Parsers of forms: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578).
//!
//! The parsers do no IO. Content is pushed in as it arrives, in pieces of any size, and the results
//! (variables, parts, actions) depend only on the bytes, not on the sizes of the pieces.
//!
//! ```text
//! head -> FormType::of_headers -+- Urlencoded -> urlencoded::parse -> Variables
//!                               +- Multipart  -> Multipart::receive -> MultipartEvent -> SpillPolicy::data -> Action
//! ```
//!
//! The text fields of a form become [`Variables`] (`post` in Pants), and the parts with a
//! `filename` become files. [`SpillPolicy`] decides for each piece of content whether it stays in
//! memory or goes to a temporary file; the driver carries that out:
//!
//! ```
//! use bytes::Bytes;
//! use httpants_core::forms::{Action, ParseFormError, MultipartEvent, SpillPolicy, FormLimits, Multipart, Variables};
//!
//! # fn main() -> Result<(), ParseFormError> {
//! let limits = FormLimits::default();
//! let mut multipart = Multipart::for_content_type(b"multipart/form-data; boundary=b", &limits)?;
//! let mut policy = SpillPolicy::new(&limits);
//! multipart.receive(Bytes::from_static(
//!     b"--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHoliday\r\n\
//!       --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"C:\\beach.jpg\"\r\n\
//!       Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--b--\r\n",
//! ));
//! multipart.handle_eof();
//!
//! let mut post = Variables::default();
//! let mut files = Vec::new();
//! let mut disk = Vec::new();
//! let (mut part, mut memory) = (None, Vec::new());
//! while let Some(event) = multipart.poll_event()? {
//!     match event {
//!         MultipartEvent::PartStart(begun) => {
//!             policy.begin(&begun);
//!             part = Some(begun);
//!         }
//!         MultipartEvent::Data(piece) => match policy.data(piece.len())? {
//!             Action::Keep => memory.extend_from_slice(&piece),
//!             // A driver creates a file here, and writes `memory` and this piece to it.
//!             Action::Spill => disk.extend([Bytes::from(std::mem::take(&mut memory)), piece]),
//!             Action::Write => disk.push(piece),
//!             // Only for the raw content of a form, begun by `SpillPolicy::begin_body`.
//!             Action::Drop => memory.clear(),
//!         },
//!         MultipartEvent::PartEnd => {
//!             let (part, content) = (part.take().unwrap(), std::mem::take(&mut memory));
//!             match part.is_file() {
//!                 true => files.push((part, content)),
//!                 false => post.push(part.name_bytes(), &content),
//!             }
//!         }
//!         MultipartEvent::End => break,
//!         _ => {}
//!     }
//! }
//! assert_eq!(post.get("title"), Some("Holiday"));
//! assert_eq!(files[0].0.name(), "photo");
//! assert_eq!(files[0].0.filename(), Some("beach.jpg"));
//! assert_eq!(files[0].1, b"\xff\xd8");
//! # Ok(())
//! # }
//! ```

mod boundary;
mod delimiter;
mod disposition;
mod encoded;
mod error;
mod limits;
mod media_type;
mod multipart;
mod parameters;
mod part;
mod spill_policy;
pub mod urlencoded;
mod variables;

pub use boundary::{Boundary, FormType};
pub use error::ParseFormError;
pub use limits::FormLimits;
pub use media_type::{MediaType, has_content_coding};
pub use multipart::{Multipart, MultipartEvent};
pub use part::{Part, charset};
pub use spill_policy::{Action, SpillPolicy};
pub use variables::{Variables, VariablesIter, VariablesIterBytes};
