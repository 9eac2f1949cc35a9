//! The application that responds to each request, so that the next one is parsed.

use httpants_core::{Connection, Method, Misuse, RequestHead, ResponseHead};

/// The behaviour of the application for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Application {
    /// Reads the body, then responds with 200, and to CONNECT with 405. The default.
    #[default]
    Reads,
    /// Responds at once without reading the body.
    RespondsEarly,
    /// Reads the body and accepts each offer to switch protocols with 101, and CONNECT with 200.
    Upgrades,
}

impl Application {
    /// Returns true if it responds before it has read the body.
    pub(crate) fn is_early(self) -> bool {
        self == Self::RespondsEarly
    }

    /// Responds to this request. Fails if the connection has ended in the meantime.
    pub(crate) fn respond(self, request: &RequestHead, connection: &mut Connection) -> Result<(), Misuse> {
        let is_connect = *request.method() == Method::CONNECT;
        if self == Self::Upgrades && is_connect {
            return connection.respond_upgrade(request.id(), &ResponseHead::default());
        }
        if self == Self::Upgrades && request.offers_upgrade() {
            let mut head = ResponseHead::new(101)?;
            if let Some(protocol) = request.headers().list("upgrade").next() {
                head.fields.push("Upgrade", protocol)?;
            }
            return connection.respond_upgrade(request.id(), &head);
        }
        let head = ResponseHead::new(if is_connect { 405 } else { 200 })?;
        connection.respond_with(request.id(), &head, "ok\n")
    }
}
