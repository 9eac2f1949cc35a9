//! Servers without the driver: each file of `src/bin` drives [`httpants_core::Connection`] in
//! another way. They share the application and the clocks.

use std::time::{Instant, SystemTime};

use httpants_core::{Connection, Event, Misuse, Now, RequestId, ResponseHead};

/// The monotonic and the wall clock; the monotonic one counts from the creation of this value.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    start: Instant,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clocks {
    /// Returns the time for the core.
    #[must_use]
    pub fn now(&self) -> Now {
        Now::new(self.start.elapsed(), SystemTime::now().try_into().unwrap_or_default())
    }
}

/// The application: responds to each request with its own body.
#[derive(Debug, Default)]
pub struct Echo {
    content: Vec<u8>,
}

impl Echo {
    /// Handles the events of the connection: responds to each complete request.
    pub fn handle_events(&mut self, connection: &mut Connection) {
        while let Some(event) = connection.poll_event() {
            let result = match event {
                Event::Request(request) if !request.has_body() => self.respond(connection, request.id()),
                Event::Expect100(id) => connection.send_continue(id),
                Event::Data(_, data) => {
                    self.content.extend_from_slice(&data);
                    Ok(())
                }
                Event::End(id, _) => self.respond(connection, id),
                Event::Closed(reason) => {
                    eprintln!("closed: {reason}");
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(misuse) = result {
                eprintln!("application error: {misuse}");
                connection.close();
            }
        }
    }

    fn respond(&mut self, connection: &mut Connection, request: RequestId) -> Result<(), Misuse> {
        connection.respond_with(request, &ResponseHead::default(), std::mem::take(&mut self.content))
    }
}
