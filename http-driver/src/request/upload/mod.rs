//! Content that was buffered before the handler ran: in memory if it is small, otherwise in a
//! temporary file.

mod content;
mod pieces;
mod reader;
mod stored;

pub(crate) use content::Content;
pub use pieces::Pieces;
pub use reader::BodyReader;
#[cfg(feature = "forms")]
pub(crate) use stored::persist::{Mode, save};
pub(crate) use stored::{Stored, create};
