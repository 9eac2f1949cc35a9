//! Numbers as server-sent events.

use futures_util::stream;
use httpants_driver::runtime::{Runtime, sleep};
use httpants_tokio::{Event, EventError, Events, Request, Response};
use serde_json::json;

use crate::mistake::{Mistake, milliseconds, parameter};

/// Sends `count` events, one each `delay`, and ends. A browser then reconnects after `retry`, and
/// the numbers continue after the last one that it received.
pub(crate) fn respond<R>(runtime: &R, request: &Request) -> Result<Response, Mistake>
where
    R: Runtime<Sleep: Send> + Send + Sync,
{
    let count = parameter(request, "count", 10_u64)?;
    let (delay, retry) = (milliseconds(request, "delay", 1000)?, milliseconds(request, "retry", 2000)?);
    let heartbeat = milliseconds(request, "heartbeat", 15_000)?;
    let after = request.last_event_id().and_then(|id| id.parse::<u64>().ok());
    let first = after.unwrap_or_default().saturating_add(1);
    let numbers = first..first.saturating_add(count);
    let runtime = runtime.clone();
    let stream = stream::unfold(numbers, move |mut numbers| {
        let runtime = runtime.clone();
        async move {
            let number = numbers.next()?;
            if number > first && !delay.is_zero() {
                sleep(&runtime, delay).await;
            }
            let event = Event::new(json!({ "number": number, "after": after }).to_string()).with_id(number.to_string());
            let event = event.map(|event| if number == first { event.with_retry(retry) } else { event });
            Some((event as Result<Event, EventError>, numbers))
        }
    });
    Ok(Events::new(stream).heartbeat(heartbeat).into())
}
