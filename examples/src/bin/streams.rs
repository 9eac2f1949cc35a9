//! Sends the time as server-sent events, and a table row by row:
//! `cargo run -p httpants-examples --bin streams -- [ADDRESS]`.
//!
//! Open the printed address, or try `curl -N http://127.0.0.1:8080/events`.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use futures_util::stream;
use httpants_tokio::{Event, EventError, Request, Response, Server};

const PAGE: &str = "<!doctype html><title>Events</title><p id=time>waiting</p><a href=/squares.csv>squares</a>
<script>
  const show = event => document.getElementById('time').textContent = `${event.data} (event ${event.lastEventId})`;
  new EventSource('/events').addEventListener('time', show);
</script>";

async fn handler(request: Request) -> Response {
    match request.path() {
        "/" => Response::html(PAGE),
        "/events" => {
            // A browser that reconnects sends the id of the last event that it received.
            let last = request.last_event_id().and_then(|id| id.parse::<u64>().ok());
            let first = last.map_or(1, |last| last.saturating_add(1));
            Response::events(stream::unfold(first, async |number| Some((time(number).await, number.wrapping_add(1)))))
        }
        "/squares.csv" => {
            // A row is created when the client has received the previous ones.
            let rows = (0..100_000_u64).map(|n| Ok::<_, Infallible>(format!("{n},{}\r\n", n * n).into()));
            Response::stream(stream::iter(rows)).with_header("Content-Type", "text/csv")
        }
        _ => Response::new(404),
    }
}

async fn time(number: u64) -> Result<Event, EventError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seconds = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    Event::new(format!("{seconds} seconds since 1970")).with_name("time")?.with_id(number.to_string())
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::new(handler).listen(address).bind()?;
    server.local_addresses().iter().for_each(|address| println!("http://{address}/"));
    server.run()
}
