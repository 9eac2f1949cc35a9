//! Form content: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578).

mod boundary;
mod disposition;
mod error;
mod limits;
mod parameters;
mod part;
#[cfg(test)]
mod random;
pub mod urlencoded;
mod variables;

pub use boundary::{Boundary, FormType};
pub use error::BadForm;
pub use limits::Limits;
pub use part::Part;
pub use variables::Variables;
