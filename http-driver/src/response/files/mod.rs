//! Files as responses: finding, planning, sending.
//!
//! ```text
//! FileRoot --serve(&request)--> Response      NamedFile --Response::file--> Response
//!          --find(&request)---> Response, with the file open, or None
//!      handler returns it
//! Directory::find     opens the file, never anything outside the directory
//! Located             the file of a root, or its precompressed sibling
//! substitute          the page of the root for a missing file
//! files::Plan         status, fields, segments (in the core)
//! OpenFiles           keeps the file open under a number; the core counts the remaining bytes
//! FileSender          sends the bytes: by the transport itself, or piece by piece
//! ```

mod configure;
mod directory;
mod fault;
mod located;
mod named_file;
mod open_files;
mod planning;
mod policy;
mod respond;
mod response;
mod root;
mod sender;
mod serve;
mod settings;
mod substitute;

pub use named_file::NamedFile;
pub(crate) use open_files::OpenFiles;
pub(crate) use policy::FilePolicy;
pub(crate) use respond::respond;
pub use root::FileRoot;
pub(crate) use sender::{FileRange, FileSender};
