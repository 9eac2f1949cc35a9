//! The life of a server, from its start to its shutdown: the handle that controls it, the signal of
//! its shutdown, and the registry of its connections.

mod delayed;
mod draining;
mod handle;
mod registry;

pub(crate) use self::draining::Drain;
pub use self::draining::Draining;
pub use self::handle::Handle;
pub(crate) use self::registry::{Command, Registration};
