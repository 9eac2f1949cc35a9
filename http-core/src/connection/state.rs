//! Every transition of a connection, blind to bytes.
//!
//! Receiving and sending are two halves, with one fact between them: whether the connection
//! persists behind the current response. `state.matrix.txt` is the table printed; a test
//! compares it, so that a changed transition shows in review.
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

/// The input that is expected from the peer.
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
    /// The rest of content whose response is finished already; it is dropped.
    Drain,
    /// Whatever comes is dropped: the connection is about to close.
    Discard,
    /// The stream belongs to another protocol.
    SwitchedProtocol,
    /// Nothing more is read.
    Closed,
}

/// The output that the peer gets next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sending {
    /// Nothing: there is no request to respond to.
    Idle,
    /// The head of a response.
    Head,
    /// The content of a response.
    Body,
    /// Nothing until the request's content was drained.
    Done,
    /// The last bytes, then the end.
    Closing,
    /// Nothing: the sending side is shut down, the peer's end is awaited.
    Shut,
    /// The stream belongs to another protocol, once the response's head has left.
    SwitchedProtocol,
    /// Nothing more is sent.
    Closed,
}

/// The state of a connection: that of both halves, and whether it persists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct State {
    /// The receiving half.
    pub recv: Receiving,
    /// The sending half.
    pub send: Sending,
    /// Whether another request may follow the current one.
    pub persistent: bool,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The handshake is complete.
    Secured,
    /// The first byte of a head.
    FirstByte,
    /// A head was accepted, with content behind it or not.
    Request { content: bool },
    /// The last byte of the request's content.
    ContentEnd,
    /// The application gave the head of its final response.
    ResponseHead,
    /// The application gave the last byte of its response.
    ResponseEnd,
    /// The application gave a whole response at once.
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
    /// Every byte has left; with `linger`, the peer may still be sending.
    Flushed { linger: bool },
    /// The peer had its chance to see the last response.
    LingerEnd,
    /// Nothing came for too long, between requests.
    IdleTimeout,
    /// The server shuts down.
    Shutdown,
    /// The application gives its response up.
    Abort,
    /// The transport failed, or the application gave up, or the peer takes nothing.
    Break,
}

impl State {
    pub(crate) const NEW: Self = Self { recv: Receiving::Idle, send: Sending::Idle, persistent: true };

    pub(crate) const NEW_WITH_HANDSHAKE: Self = Self { recv: Receiving::Handshake, ..Self::NEW };

    /// The application has a request whose response it has not finished.
    pub(crate) fn awaits_response(self) -> bool {
        matches!(self.send, Sending::Head | Sending::Body)
    }

    /// No byte of a request was parsed since the last response.
    pub(crate) fn is_between_requests(self) -> bool {
        matches!(self.recv, Receiving::Handshake | Receiving::Idle)
    }

    const fn to(self, recv: Receiving, send: Sending) -> Option<Self> {
        Some(Self { recv, send, persistent: self.persistent })
    }

    /// Where the input leads; `None` where it has no meaning and changes nothing.
    #[inline(always)]
    pub(crate) fn after(self, input: Input) -> Option<Self> {
        use {Input as I, Receiving as R, Sending as S};
        let persistent = self.persistent;
        match (self.recv, self.send, input) {
            (R::Closed, _, _) => None,
            (_, _, I::Break) => self.to(R::Closed, S::Closed),
            (R::SwitchedProtocol, _, I::Abort) => self.to(R::Done, S::Closing),

            // Before the first request. There is nothing that an end could take away.
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

            // Refusing: a response that has begun cannot be taken back, so it breaks off visibly,
            // behind those that were queued before it.
            (R::Body, S::Body, I::Refuse)
            | (R::Handshake | R::Idle | R::Head, S::Idle, I::Refuse)
            | (R::Body | R::Done, S::Head, I::Refuse)
            | (R::Drain, S::Done, I::Refuse) => self.to(R::Discard, S::Closing),

            // The peer's end. The responses before still leave; a request that is cut
            // off gets no response; one that is complete gets its own.
            (R::Handshake | R::Idle | R::Head, S::Idle, I::EndOfStream)
            | (R::Body, S::Head, I::EndOfStream)
            | (R::Body, S::Body, I::EndOfStream)
            | (R::Drain, S::Done, I::EndOfStream)
            | (R::Discard, S::Closing, I::EndOfStream) => self.to(R::Done, S::Closing),
            (R::Done, S::Head | S::Body, I::EndOfStream) => Some(Self { persistent: false, ..self }),
            (R::Discard, S::Shut, I::EndOfStream) => self.to(R::Closed, S::Closed),

            // Our end.
            (R::Discard, S::Closing, I::Flushed { .. }) => self.to(R::Discard, S::Shut),
            (R::Done, S::Closing, I::Flushed { linger: true }) => self.to(R::Discard, S::Shut),
            (R::Done, S::Closing, I::Flushed { linger: false }) => self.to(R::Closed, S::Closed),
            (R::Discard, S::Shut, I::LingerEnd) => self.to(R::Closed, S::Closed),
            (R::Idle, S::Idle, I::IdleTimeout) => self.to(R::Done, S::Closing),
            // A request may be under way to us: the end of our stream tells the peer that it
            // was not served, where a reset could also cost it the response before.
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

    /// Every state that can be reached, and what each input does there.
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

    #[allow(clippy::disallowed_methods, reason = "a test is not the core")]
    /// To accept a changed table: `UPDATE_MATRIX=1 cargo test -p httpants-core matrix`.
    #[test]
    fn the_matrix_is_the_checked_in_one() {
        let printed = matrix();
        if std::env::var_os("UPDATE_MATRIX").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/connection/state.matrix.txt"), &printed).unwrap();
        } else {
            assert_eq!(printed, include_str!("state.matrix.txt"));
        }
    }

    #[test]
    fn every_state_can_reach_its_end() {
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
