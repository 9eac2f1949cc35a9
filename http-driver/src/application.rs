//! The types that applications use, on every runtime: [`adapter!`](crate::adapter) exports this
//! module, so that all adapters have the same names.

// Types of other crates in these signatures, so that applications need not depend on a version of
// them.
pub use bytes::Bytes;
pub use http::{self, Method, StatusCode};
/// The protocol crate, for types that have no name here: cookies, forms, file plans, proxies.
pub use httpants_core as protocol;
#[cfg(feature = "cookies")]
pub use httpants_core::cookies::{Cookie, CookieBuilder, CookieError, Cookies, KeyError, KeyRing};
#[cfg(feature = "files")]
pub use httpants_core::files::{EtagRecipe, XSendfile};
#[cfg(feature = "forms")]
pub use httpants_core::forms::Part;
pub use httpants_core::forms::{ParseFormError, Variables};
pub use httpants_core::proxy::{Client, XHeaders};
pub use httpants_core::{
    Address, CloseReason, Config, ConfigError, ConnectionInfo, FieldLines, HalfClose, Headers, Misuse, ProtocolError,
    ProxyTlvs, RequestHead, RequestLimits, ResponseHead, Timer,
};
/// The rustls crate, for [`Tls::from_config`].
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use rustls;

#[cfg(feature = "compression")]
pub use crate::content_coding::ContentCoding;
pub use crate::exchange::BodyError;
#[cfg(feature = "json")]
pub use crate::exchange::JsonError;
pub use crate::handler::{BodyPolicy, Handler, LimitedPolicy};
#[cfg(feature = "cookies")]
pub use crate::key_file::KeyRingFile;
pub use crate::lifecycle::{Draining, Handle};
pub use crate::observe::access_log::AccessLog;
pub use crate::observe::{CloseCounts, Counters, CountsIter, RefusalCounts, ResponseCounts, TimerCounts};
#[cfg(feature = "compression")]
pub use crate::request::Decompression;
#[cfg(feature = "forms")]
pub use crate::request::forms::{
    Files, MultipartStream, StreamedPart, TextField, TextFields, TextFieldsIter, UploadedFile,
};
pub use crate::request::upload::{BodyReader, Pieces};
pub use crate::request::{Body, BuildRequestError, FormError, PathSegments, PathSegmentsIter, Request, RequestBuilder};
#[cfg(feature = "files")]
pub use crate::response::files::{FileRoot, NamedFile};
pub use crate::response::{
    BoxError, Event, EventError, Events, IntoEvent, Responder, Response, ServerError, ServerErrorKind, Upgraded,
};
#[cfg(feature = "compression")]
pub use crate::response::{Compression, CompressionLevel};
pub use crate::server::{ListenAddress, ListenSocket, StatefulHandler, TcpKeepalive, WhenFull};
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use crate::tls::{ClientCertificates, Tls, TlsError, TlsErrorKind, TlsSession};
#[cfg(feature = "tower")]
pub use crate::tower;
#[cfg(feature = "websocket")]
pub use crate::websocket;

/// Exports from an adapter crate everything that applications use: all of
/// [`application`](crate::application), and `Runtime`, `Server` and `BoundServer` with this runtime
/// filled in.
///
/// ```
/// # mod httpants_memory {
/// pub use httpants_testkit::memory::Memory;
/// httpants_driver::adapter!(Memory);
/// # }
/// # use httpants_memory::{Request, Runtime, Server};
/// let server = Server::with_runtime(Runtime::new(), async |_: Request| "hello");
/// # drop(server);
/// ```
#[macro_export]
macro_rules! adapter {
    ($runtime:ty) => {
        pub use $crate::application::*;

        /// The runtime of this crate. Every adapter uses this name.
        pub type Runtime = $runtime;

        /// A server on this runtime: [`httpants_driver::Server`](::httpants_driver::Server) lists all
        /// settings.
        pub type Server<H> = $crate::Server<$runtime, H>;

        /// A bound server on this runtime; see
        /// [`httpants_driver::BoundServer`](::httpants_driver::BoundServer).
        pub type BoundServer<H> = $crate::BoundServer<$runtime, H>;
    };
}
