//! The settings of a server for files.

use httpants_core::files::XSendfile;

use super::Server;
use crate::response::files::FileRoot;
use crate::runtime::Runtime;

/// Settings for files, with the feature `files`.
impl<R: Runtime, H> Server<R, H> {
    /// Sets the directory for [`Responder::send_file`](crate::Responder::send_file) and
    /// [`NamedFile::new`](crate::NamedFile::new), which never send files outside of it (`file_root`
    /// in Pants). Default: the current directory when the first file is sent.
    #[must_use]
    pub fn file_root(mut self, root: FileRoot) -> Self {
        self.parts.responses.files.set_root(root);
        self
    }

    /// Lets the proxy before this server send files (`sendfile` and `sendfile_prefix` in Pants):
    /// responses with a file have this header field and no body. The file is looked up
    /// nevertheless, so that the field never names a file that is missing, unreadable or outside of
    /// the root. Default: this server sends files.
    ///
    /// ```
    /// use httpants_driver::{Misuse, Request, Response, XSendfile, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// # fn main() -> Result<(), Misuse> {
    /// // nginx: location /protected/ { internal; alias /srv/www/; }
    /// let nginx = XSendfile::new("X-Accel-Redirect", "/srv/www")?.prefix("/protected")?;
    /// let handler = async |_: Request| Response::file("report.pdf");
    /// let server = Server::with_runtime(Memory::new(), handler).x_sendfile(nginx);
    /// # drop(server); Ok(()) }
    /// ```
    #[must_use]
    #[doc(alias = "sendfile")]
    pub fn x_sendfile(mut self, policy: XSendfile) -> Self {
        self.parts.responses.files.sendfile = Some(policy);
        self
    }
}
