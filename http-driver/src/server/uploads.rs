//! The settings of a server for forms and uploads.

use std::path::PathBuf;

use httpants_core::forms::{self, urlencoded};

use super::Server;
use crate::handler::Handler;
use crate::runtime::Runtime;

impl<R: Runtime, H: Handler> Server<R, H> {
    /// What a buffered request may hold, and how much of it stays in memory.
    ///
    /// Each file that leaves memory takes a file descriptor while its request is handled:
    /// where `max_body_size` is raised for many large uploads, bound
    /// [`files`](forms::Limits::files), too. `max_body_size` itself is that of
    /// [`max_body_size`](Self::max_body_size), set here or there, and counts for every request.
    ///
    /// ```
    /// use httpants_testkit::memory::Memory;
    /// use httpants_driver::{Request, Server};
    ///
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok").forms(|limits| {
    ///     limits.max_body_size = 2 << 30;
    ///     limits.files = Some(20);
    /// });
    /// ```
    #[must_use]
    pub fn forms(mut self, change: impl FnOnce(&mut forms::Limits)) -> Self {
        let limits = &mut self.parts.settings.limits;
        limits.max_body_size = self.parts.config.limits.max_body_size;
        change(limits);
        self.parts.config.limits.max_body_size = limits.max_body_size;
        self
    }

    /// How the variables of urlencoded forms are read: whether blank ones are kept, and how many
    /// there may be. Each text field of a multipart form is a part, of which
    /// [`forms::Limits::parts`] may be there, and is kept also where it is empty.
    #[must_use]
    pub fn variables(mut self, change: impl FnOnce(&mut urlencoded::Options)) -> Self {
        change(&mut self.parts.settings.variables);
        self
    }

    /// Whether forms are read on PATCH, too. Default false: on POST and PUT only, as the
    /// seed does for security.
    #[must_use]
    pub fn forms_on_patch(mut self, patch: bool) -> Self {
        self.parts.settings.patch = patch;
        self
    }

    /// Where the temporary files of large content are made. Default
    /// [`std::env::temp_dir`]. On the file system where uploads are kept,
    /// [`UploadedFile::persist`](crate::UploadedFile::persist) costs no copy; where it is in
    /// memory, such as `/tmp` on some systems, large uploads are, too.
    ///
    /// The files have no names there and only the server's user may read them. They are gone
    /// with their requests, and with the process, however it ends.
    #[must_use]
    pub fn upload_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.parts.settings.disk.directory = directory.into();
        self
    }
}
