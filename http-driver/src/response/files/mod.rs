//! Files as responses: finding, planning, sending.
//!
//! ```text
//! FileRoot --serve(&request)--> Response      NamedFile --Response::file--> Response
//!      handler returns it
//! Directory::find     opens the file, never anything outside the directory
//! files::Plan         status, fields, segments (in the core)
//! OpenFiles           keeps it open by a number while the core counts what is left
//! FileSender          moves the bytes: the transport by itself, or piece by piece
//! ```

mod directory;
mod named_file;
mod open_files;
mod policy;
mod respond;
mod root;
mod sender;
mod serve;

pub use named_file::NamedFile;
pub(crate) use open_files::OpenFiles;
pub(crate) use policy::FilePolicy;
pub(crate) use respond::respond;
pub use root::FileRoot;
pub(crate) use sender::{FileSender, Stretch};
