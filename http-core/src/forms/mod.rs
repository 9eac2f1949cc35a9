//! Form content: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578).

mod error;
mod limits;
#[cfg(test)]
mod random;
pub mod urlencoded;
mod variables;

pub use error::BadForm;
pub use limits::Limits;
pub use variables::Variables;
