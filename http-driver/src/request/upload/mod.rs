//! Content that was buffered before the handler ran: in memory if it is small, otherwise in a
//! temporary file.

mod content;
mod files;
mod form;
mod pieces;
mod reader;
mod stored;
mod text_fields;
mod uploaded_file;

pub(crate) use content::Content;
pub use files::Files;
pub(crate) use form::Form;
pub use pieces::Pieces;
pub use reader::BodyReader;
pub(crate) use stored::{Stored, create};
pub use text_fields::{TextField, TextFields};
pub use uploaded_file::UploadedFile;
