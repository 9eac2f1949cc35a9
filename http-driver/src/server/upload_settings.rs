//! The settings of a server for buffered bodies.

use std::path::PathBuf;

use httpants_core::forms;

use super::Server;
use crate::runtime::Runtime;

impl<R: Runtime, H> Server<R, H> {
    /// Changes the limits of buffered requests, and how much of them stays in memory. With the
    /// feature `forms` they include those of forms.
    ///
    /// Each file that does not stay in memory takes a file descriptor while its request is handled:
    /// if you raise `max_body_size` for many large uploads, limit [`files`](forms::FormLimits::files),
    /// too. `max_body_size` is the same setting as [`max_body_size`](Self::max_body_size) and
    /// applies to every request.
    ///
    /// ```
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok").forms(|limits| {
    ///     limits.max_body_size = 2 << 30;
    ///     limits.files = Some(20);
    /// });
    /// ```
    #[must_use]
    pub fn forms(mut self, change: impl FnOnce(&mut forms::FormLimits)) -> Self {
        let limits = &mut self.parts.settings.limits;
        limits.max_body_size = self.parts.config.limits.max_body_size;
        change(limits);
        self.parts.config.limits.max_body_size = limits.max_body_size;
        self
    }

    /// Sets the directory of temporary files for large bodies. Default: [`std::env::temp_dir`]. If
    /// it is on the file system to which uploads are persisted, `UploadedFile::persist` needs no
    /// copy. If it is in memory, such as `/tmp` on some systems, large uploads are in memory, too.
    ///
    /// If it does not exist or cannot be written, bodies that need it get 500, and the error is
    /// logged.
    ///
    /// The files have no names, and only the server's user may read them. They are removed with
    /// their requests and with the process, however it ends.
    #[must_use]
    pub fn upload_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.parts.settings.disk.directory = directory.into();
        self
    }
}
