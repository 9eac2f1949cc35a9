//! The application, and its servers on each runtime.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::stream;
use httpants_driver::{Compression, Decompression, Event, Events, Handle, Misuse, Request, Response};

/// A server that runs until it is dropped.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// Bodies of POST requests for `/report`.
    pub(crate) reports: Receiver<String>,
    handle: Handle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, the test has already failed.
            let _ = thread.join();
        }
    }
}

impl Site {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Returns lines that end in a character of three bytes.
pub(crate) fn text() -> String {
    (0..20_000).map(|number| format!("line {number} \u{20ac}\n")).collect()
}

/// The `Link` field of interim responses.
pub(crate) const LINK: &str = "</style.css>; rel=preload; as=style";

/// A page whose script requests all resources and reports the results.
const PAGE: &str = "<!doctype html><title>Test</title><script type=module>
    const report = {};
    for (const path of ['/text', '/hints', '/plain']) {
        const response = await fetch(path);
        const text = await response.text();
        report[path] = [response.headers.get('content-encoding') !== null, text.length, text.slice(-3)];
    }
    report.events = [];
    const source = new EventSource('/events');
    const done = new Promise(resolve => {
        const add = event => {
            report.events.push([event.type, event.data, event.lastEventId]);
            if (event.type === 'end') { source.close(); resolve(); }
        };
        source.onmessage = add;
        source.addEventListener('end', add);
    });
    await done;
    // The times of the first bytes of interim responses, or 0.
    report.interim = ['/text', '/hints'].map(path =>
        performance.getEntriesByName(new URL(path, location).href)[0].firstInterimResponseStart > 0);
    await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
</script>";

fn events(last: Option<&str>) -> Response {
    let all = [
        Event::new("one\ntwo").with_id("1"),
        Event::new(" \u{20ac}: three").with_id("2"),
        Event::new("").with_id("").and_then(|event| event.with_name("end")),
    ];
    let after = last.and_then(|last| last.parse().ok()).unwrap_or(0);
    Events::new(stream::iter(all.into_iter().skip(after))).heartbeat(Duration::from_millis(100)).into()
}

async fn respond(reports: Sender<String>, mut request: Request) -> Result<Response, Misuse> {
    Ok(match request.path() {
        "/" => Response::html(PAGE),
        "/text" => Response::text(text()),
        "/plain" => Response::text(text()).with_header("Cache-Control", "no-transform"),
        "/stream" => {
            let text = text();
            let lines: Vec<_> = text.split_inclusive('\n').collect();
            // Each piece is compressed as a whole, which takes most of the time of these tests.
            let pieces: Vec<_> = lines.chunks(20).map(|lines| Ok::<_, Misuse>(lines.concat().into())).collect();
            Response::stream(stream::iter(pieces)).with_header("Content-Type", "text/plain; charset=utf-8")
        }
        "/hints" => {
            let mut responder = request.responder();
            responder.send_interim(103, [("Link", LINK)]).await?;
            responder.send_interim(102, [("X-Progress", "1")]).await?;
            Response::text(text())
        }
        "/events" => events(request.last_event_id()),
        "/length" => match request.bytes().await {
            Ok(body) => Response::text(body.len().to_string()),
            Err(error) => error.into(),
        },
        "/report" => {
            let report = request.text().await.unwrap_or_else(|error| error.to_string());
            let _ = reports.send(report);
            Response::new(204)
        }
        _ => Response::new(404),
    })
}

macro_rules! sites {
    ($($adapter:ident),*) => {
        $(pub(crate) fn $adapter() -> Site {
            let (sender, reports) = channel();
            let server = $adapter::Server::with_state(sender, respond)
                .compression(Compression::default())
                .decompress_requests(Decompression::default());
            let bound = server.listen("127.0.0.1:0").bind().unwrap();
            let $adapter::ListenAddress::Socket(address) = bound.local_addresses()[0] else { panic!("no socket") };
            let handle = bound.handle();
            let thread = std::thread::spawn(|| bound.run());
            Site { name: stringify!($adapter), address, reports, handle, thread: Some(thread) }
        })*

        /// Starts one server on each runtime.
        pub(crate) fn all() -> Vec<Site> {
            vec![$($adapter()),*]
        }
    };
}

sites! { httpants_tokio, httpants_smol, httpants_async_std }
