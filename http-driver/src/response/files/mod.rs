//! Files as responses: finding, planning, sending.
//!
//! ```text
//! FileRoot --serve(&request)--> Response      NamedFile --Response::file--> Response
//!          --find(&request)---> Response, with the file open, or None
//!      handler returns it
//! Directory::find     opens the file, never anything outside the directory
//! Located             the file of a root, or its precompressed sibling
//! substitute          the page of the root where there is no such file
//! files::Plan         status, fields, segments (in the core)
//! OpenFiles           keeps it open by a number while the core counts what is left
//! FileSender          moves the bytes: the transport by itself, or piece by piece
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
pub(crate) use sender::{FileSender, Stretch};
