//! Form content: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578).

mod boundary;
mod delimiter;
mod disposition;
mod error;
mod limits;
mod multipart;
mod parameters;
mod part;
#[cfg(test)]
mod random;
pub mod urlencoded;
mod variables;

pub use boundary::{Boundary, FormType};
pub use error::BadForm;
pub use limits::Limits;
pub use multipart::{Event, Multipart};
pub use part::Part;
pub use variables::Variables;
