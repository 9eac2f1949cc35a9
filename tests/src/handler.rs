//! The scripts of fixtures as handlers of the driver.

use std::future::{pending, poll_fn};
use std::pin::Pin;

use bytes::Bytes;
use futures_io::AsyncRead;
use httpants_core::{BodyLen, FieldLines, Misuse, forms};
use httpants_driver::{BodyPolicy, Request, Response, Upgraded};

use crate::app::{Instruction, Script};

/// The actions of a handler for a script that a handler can carry out.
#[derive(Clone, Debug)]
pub struct Plan {
    reads: bool,
    limit: Option<u64>,
    fields: Vec<(String, Vec<u8>)>,
    response: Planned,
}

#[derive(Clone, Debug)]
enum Planned {
    /// Respond with 200, method and target.
    Line,
    /// A body of known length.
    Whole(u16, Bytes),
    /// Pieces of unknown length; aborted without an end.
    Pieces { status: u16, pieces: Vec<Bytes>, end: Option<FieldLines> },
    /// An upgrade.
    Upgrade(String),
}

/// Returns the actions in the order in which a handler can carry them out; `None` if the script
/// uses calls of the core that only the driver makes, or that it does not offer.
#[must_use]
pub fn plan(script: &Script) -> Option<Plan> {
    let mut rest = script.as_slice();
    let mut plan = Plan { reads: false, limit: None, fields: Vec::new(), response: Planned::Line };
    if let [Instruction::Limit(limit), tail @ ..] = rest {
        (plan.limit, rest) = (Some(*limit), tail);
    }
    if let [Instruction::Read, tail @ ..] = rest {
        (plan.reads, rest) = (true, tail);
    }
    let mut accepted = FieldLines::new();
    while let [Instruction::Field(name, value), tail @ ..] = rest {
        // A field that the core refuses at once is skipped, and the script continues.
        accepted.push(name, value).ok()?;
        plan.fields.push((name.clone(), value.clone()));
        rest = tail;
    }
    plan.response = match rest {
        [Instruction::RespondWithLine] => Planned::Line,
        [Instruction::Upgrade(101)] => {
            let at = plan.fields.iter().position(|(name, _)| name == "Upgrade")?;
            let protocol = String::from_utf8(plan.fields.remove(at).1).ok()?;
            Planned::Upgrade(protocol.trim().to_owned())
        }
        [Instruction::Respond(status, BodyLen::Known(length)), tail @ ..] => {
            let (pieces, end) = content(tail)?;
            let content: Bytes = pieces.concat().into();
            let whole = end?.is_empty() && content.len() as u64 == *length;
            whole.then_some(Planned::Whole(*status, content))?
        }
        [Instruction::Respond(status, BodyLen::Unknown), tail @ ..] => {
            let (pieces, end) = content(tail)?;
            Planned::Pieces { status: *status, pieces, end }
        }
        _ => return None,
    };
    Some(plan)
}

/// Returns the pieces of a response, and its trailers; without trailers if it is aborted.
fn content(instructions: &[Instruction]) -> Option<(Vec<Bytes>, Option<FieldLines>)> {
    let (mut pieces, mut trailers) = (Vec::new(), FieldLines::new());
    for (at, instruction) in instructions.iter().enumerate() {
        let last = at + 1 == instructions.len();
        match instruction {
            Instruction::Send(piece) => pieces.push(piece.clone()),
            Instruction::Trailer(name, value) => trailers.push(name, value).ok()?,
            Instruction::Finish if last => return Some((pieces, Some(trailers))),
            Instruction::Abort if last => return Some((pieces, None)),
            _ => return None,
        }
    }
    None
}

impl Plan {
    /// Returns the body policies that must lead to the same result. If the response does not wait
    /// for the body, only streaming is possible.
    #[must_use]
    pub fn body_policies(&self) -> &'static [fn(&Self) -> BodyPolicy] {
        if self.reads { &[Self::streamed, Self::buffered] } else { &[Self::streamed] }
    }

    fn streamed(&self) -> BodyPolicy {
        self.limit.map_or(BodyPolicy::Stream, BodyPolicy::StreamUpTo)
    }

    fn buffered(&self) -> BodyPolicy {
        let Some(limit) = self.limit else { return BodyPolicy::Buffer };
        let mut limits = forms::FormLimits::default();
        limits.max_body_size = limit;
        BodyPolicy::BufferWith(Box::new(limits))
    }

    /// Responds to a request.
    ///
    /// # Errors
    /// Returns the misuse for a script that cannot be carried out.
    pub async fn respond(self, mut request: Request) -> Result<Response, Misuse> {
        if self.reads && request.body_mut().bytes().await.is_err() {
            // The peer received its response, or has disconnected.
            return pending().await;
        }
        let line = format!("{} {}", request.method(), request.target());
        let mut response = match self.response {
            Planned::Line => Response::text(line),
            Planned::Whole(status, content) => {
                let mut response = Response::from(content).with_status(status);
                response.fields_mut().remove("content-type");
                response
            }
            Planned::Upgrade(protocol) => Response::upgrade(&protocol, read_to_the_end),
            Planned::Pieces { status, pieces, end } => {
                let mut responder = request.responder();
                responder.send_status(status)?;
                responder.send_headers(self.fields, true)?;
                for piece in pieces {
                    responder.send(piece).await?;
                }
                return match end {
                    Some(trailers) => responder.finish_with_trailers(&trailers).await,
                    // Returning without the end aborts the response.
                    None => Ok(Response::new(200)),
                };
            }
        };
        for (name, value) in self.fields {
            response.fields_mut().push(&name, value)?;
        }
        Ok(response)
    }
}

/// Reads to the end, because closing with unread bytes would reset the connection, and the peer
/// could lose its response.
async fn read_to_the_end(mut stream: Upgraded) {
    let mut buffer = [0; 1024];
    while let Ok(1..) = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await {}
}
