//! The state machine of a connection, independent of bytes.
//!
//! Receiving and sending are two halves with one shared property: whether the connection persists
//! after the current response. `state.matrix.txt` contains the table of transitions; a test
//! compares it, so that a changed transition is visible in a review.
//!
//! ```text
//!  receiving   Handshake (where TLS is to come first) -> Idle
//!              Idle -> Head -> Body -> Done ----> Idle (the next request)
//!                                 \-> Drain (the response was finished before it was read) -> Idle
//!                      any -> Discard (nothing more is parsed) -> Closed
//!  sending     Idle ---------> Head -> Body --------> Idle (the next request)
//!                                        \-> Done (awaits the drain) -> Idle
//!                      any -> Closing (the last bytes leave) -> Shut (lingers) -> Closed
//! ```

/// The state of the receiving half: the input that is expected from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Receiving {
    /// The handshake that secures the transport.
    Handshake,
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a request's content.
    Body,
    /// Nothing: the request is complete, and its response is awaited.
    Done,
    /// The rest of content whose response is already finished; it is dropped.
    Drain,
    /// All input is dropped, because the connection is closing.
    Discard,
    /// The stream belongs to another protocol.
    SwitchedProtocol,
    /// Nothing more is read.
    Closed,
}

/// The state of the sending half: the output that is sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sending {
    /// Nothing: there is no request to respond to.
    Idle,
    /// The head of a response.
    Head,
    /// The content of a response.
    Body,
    /// Nothing until the content of the request is drained.
    Done,
    /// The last bytes, after which the connection ends.
    Closing,
    /// Nothing: the sending side is shut down, and the end of the peer's stream is awaited.
    Shut,
    /// The head of the response; after it, the stream belongs to another protocol.
    SwitchedProtocol,
    /// Nothing more is sent.
    Closed,
}

/// The state of a connection: the states of both halves, and whether it persists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct State {
    /// The receiving half.
    pub recv: Receiving,
    /// The sending half.
    pub send: Sending,
    /// True if another request may follow the current one.
    pub persistent: bool,
}

/// An input of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The handshake is complete.
    Secured,
    /// The first byte of a head.
    FirstByte,
    /// A head was accepted, with or without content.
    Request { content: bool },
    /// The last byte of the request's content.
    ContentEnd,
    /// The application sent the head of its final response.
    ResponseHead,
    /// The application sent the last byte of its response.
    ResponseEnd,
    /// The application sent a complete response at once.
    Response,
    /// The response switches protocols.
    HandOver,
    /// This request is the last one.
    Last,
    /// The content to drain is too long.
    DrainLimit,
    /// The peer is refused.
    Refuse,
    /// The peer ended its stream.
    EndOfStream,
    /// Every queued byte was sent. With `linger`, the peer may still be sending.
    Flushed { linger: bool },
    /// The time or the bytes for lingering are used up.
    LingerEnd,
    /// Nothing was received for too long between requests.
    IdleTimeout,
    /// The server shuts down.
    Shutdown,
    /// The application aborts its response.
    Abort,
    /// The connection is dropped at once, for example because the transport failed or the peer
    /// accepts nothing.
    Break,
}

impl State {
    pub(crate) const NEW: Self = Self { recv: Receiving::Idle, send: Sending::Idle, persistent: true };

    pub(crate) const NEW_WITH_HANDSHAKE: Self = Self { recv: Receiving::Handshake, ..Self::NEW };

    /// Returns true if the application has not finished the response to a request.
    pub(crate) fn awaits_response(self) -> bool {
        matches!(self.send, Sending::Head | Sending::Body)
    }

    /// Returns true if no byte of a request was parsed since the last response.
    pub(crate) fn is_between_requests(self) -> bool {
        matches!(self.recv, Receiving::Handshake | Receiving::Idle)
    }

    const fn to(self, recv: Receiving, send: Sending) -> Option<Self> {
        Some(Self { recv, send, persistent: self.persistent })
    }

    /// Returns the state after an input; `None` if the input has no effect in this state.
    #[inline(always)]
    pub(crate) fn after(self, input: Input) -> Option<Self> {
        use {Input as I, Receiving as R, Sending as S};
        let persistent = self.persistent;
        match (self.recv, self.send, input) {
            (R::Closed, _, _) => None,
            (_, _, I::Break) => self.to(R::Closed, S::Closed),
            (R::SwitchedProtocol, _, I::Abort) => self.to(R::Done, S::Closing),

            // Before the first request. Closing at once loses nothing.
            (R::Handshake, S::Idle, I::Secured) => self.to(R::Idle, S::Idle),
            (R::Handshake, S::Idle, I::IdleTimeout | I::Shutdown) => self.to(R::Closed, S::Closed),

            // Receiving.
            (R::Idle, S::Idle, I::FirstByte) => self.to(R::Head, S::Idle),
            (R::Idle | R::Head, S::Idle, I::Request { content: true }) => self.to(R::Body, S::Head),
            (R::Idle | R::Head, S::Idle, I::Request { content: false }) => self.to(R::Done, S::Head),
            (R::Body, S::Head | S::Body, I::ContentEnd) => self.to(R::Done, self.send),

            // Responding.
            (R::Body | R::Done, S::Head, I::ResponseHead) => self.to(self.recv, S::Body),
            (R::Done, S::Head, I::Response) if persistent => self.to(R::Idle, S::Idle),
            (R::Done, S::Head, I::Response) => self.to(R::Done, S::Closing),
            (R::Body, S::Head, I::Response) if persistent => self.to(R::Drain, S::Done),
            (R::Body, S::Head, I::Response) => self.to(R::Discard, S::Closing),
            (R::Done, S::Head, I::HandOver) => self.to(R::SwitchedProtocol, S::SwitchedProtocol),
            (R::Done, S::Body, I::ResponseEnd) if persistent => self.to(R::Idle, S::Idle),
            (R::Done, S::Body, I::ResponseEnd) => self.to(R::Done, S::Closing),
            (R::Body, S::Body, I::ResponseEnd) if persistent => self.to(R::Drain, S::Done),
            (R::Body, S::Body, I::ResponseEnd) => self.to(R::Discard, S::Closing),
            (R::Drain, S::Done, I::ContentEnd) if persistent => self.to(R::Idle, S::Idle),
            (R::Drain, S::Done, I::ContentEnd) => self.to(R::Done, S::Closing),
            (R::Drain, S::Done, I::DrainLimit) => self.to(R::Discard, S::Closing),
            (R::Body, S::Head | S::Body, I::Abort) => self.to(R::Discard, S::Closing),
            (R::Done, S::Head | S::Body, I::Abort) => self.to(R::Done, S::Closing),
            (R::Handshake | R::Idle | R::Head, S::Idle, I::Abort) | (R::Drain, S::Done, I::Abort) => {
                self.to(R::Discard, S::Closing)
            }
            (_, S::Head | S::Body | S::Done, I::Last) => Some(Self { persistent: false, ..self }),

            // Refusing. A response that has begun cannot be withdrawn, so it breaks off visibly,
            // after the responses that were queued before it.
            (R::Body, S::Body, I::Refuse)
            | (R::Handshake | R::Idle | R::Head, S::Idle, I::Refuse)
            | (R::Body | R::Done, S::Head, I::Refuse)
            | (R::Drain, S::Done, I::Refuse) => self.to(R::Discard, S::Closing),

            // The end of the peer's stream. Previous responses are still sent. An incomplete
            // request gets no response, a complete one does.
            (R::Handshake | R::Idle | R::Head, S::Idle, I::EndOfStream)
            | (R::Body, S::Head, I::EndOfStream)
            | (R::Body, S::Body, I::EndOfStream)
            | (R::Drain, S::Done, I::EndOfStream)
            | (R::Discard, S::Closing, I::EndOfStream) => self.to(R::Done, S::Closing),
            (R::Done, S::Head | S::Body, I::EndOfStream) => Some(Self { persistent: false, ..self }),
            (R::Discard, S::Shut, I::EndOfStream) => self.to(R::Closed, S::Closed),

            // The end of our stream.
            (R::Discard, S::Closing, I::Flushed { .. }) => self.to(R::Discard, S::Shut),
            (R::Done, S::Closing, I::Flushed { linger: true }) => self.to(R::Discard, S::Shut),
            (R::Done, S::Closing, I::Flushed { linger: false }) => self.to(R::Closed, S::Closed),
            (R::Discard, S::Shut, I::LingerEnd) => self.to(R::Closed, S::Closed),
            (R::Idle, S::Idle, I::IdleTimeout) => self.to(R::Done, S::Closing),
            // A request may be in transit: the end of our stream informs the peer that it was not
            // served, whereas a reset could also destroy the previous response.
            (R::Idle, S::Idle, I::Shutdown) => self.to(R::Discard, S::Closing),
            (R::Head, S::Idle, I::Shutdown) | (_, S::Head | S::Body | S::Done, I::Shutdown) => {
                Some(Self { persistent: false, ..self })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use core::fmt::Write as _;

    use super::*;

    const INPUTS: [Input; 20] = [
        Input::Secured,
        Input::FirstByte,
        Input::Request { content: false },
        Input::Request { content: true },
        Input::ContentEnd,
        Input::ResponseHead,
        Input::ResponseEnd,
        Input::Response,
        Input::HandOver,
        Input::Last,
        Input::DrainLimit,
        Input::Refuse,
        Input::EndOfStream,
        Input::Flushed { linger: false },
        Input::Flushed { linger: true },
        Input::LingerEnd,
        Input::IdleTimeout,
        Input::Shutdown,
        Input::Abort,
        Input::Break,
    ];

    fn name(state: State) -> String {
        let kept = if state.persistent { "persistent" } else { "last" };
        format!("{:?} / {:?} / {kept}", state.recv, state.send)
    }

    /// Returns a table of every reachable state, and of the effect of each input in it.
    fn matrix() -> String {
        let mut rows = BTreeMap::new();
        let mut open = vec![State::NEW, State::NEW_WITH_HANDSHAKE];
        while let Some(state) = open.pop() {
            if rows.contains_key(&name(state)) {
                continue;
            }
            let mut row = String::new();
            for input in INPUTS {
                if let Some(next) = state.after(input) {
                    writeln!(row, "    {:<28} -> {}", format!("{input:?}"), name(next)).unwrap();
                    open.push(next);
                }
            }
            rows.insert(name(state), row);
        }
        rows.iter().fold(String::new(), |all, (state, row)| format!("{all}{state}\n{row}\n"))
    }

    #[allow(clippy::disallowed_methods, reason = "tests may use std")]
    /// To update the table: `UPDATE_MATRIX=1 cargo test -p httpants-core matrix`.
    #[test]
    fn state_matrix_matches_the_checked_in_file() {
        let printed = matrix();
        if std::env::var_os("UPDATE_MATRIX").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/connection/state.matrix.txt"), &printed).unwrap();
        } else {
            assert_eq!(printed, include_str!("state.matrix.txt"));
        }
    }

    #[test]
    fn every_state_can_reach_the_end() {
        let mut open = vec![State::NEW, State::NEW_WITH_HANDSHAKE];
        let mut seen = vec![];
        while let Some(state) = open.pop() {
            if seen.contains(&state) {
                continue;
            }
            seen.push(state);
            let ended = state.recv == Receiving::Closed;
            assert_eq!(state.after(Input::Break).is_some(), !ended, "{}", name(state));
            assert_eq!(ended, state.send == Sending::Closed, "both halves end together: {}", name(state));
            open.extend(INPUTS.iter().filter_map(|&input| state.after(input)));
        }
    }
}
