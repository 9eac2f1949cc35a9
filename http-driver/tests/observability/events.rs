//! Tests of spans and events, as seen by a subscriber.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpants_driver::{Request, Response, Server};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use httpants_testkit::memory::{Client, Memory};

use crate::site::{Site, get};

#[derive(Clone, Debug, Default, PartialEq)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.into());
    }
}

#[derive(Clone, Debug)]
struct Seen {
    target: &'static str,
    level: Level,
    fields: Fields,
    /// The spans of the event, from the outermost to the innermost.
    spans: Vec<(&'static str, Fields)>,
}

/// A subscriber that stores every event with its spans.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<Seen>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keep {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.map(|span| (span.name(), span.extensions().get::<Fields>().unwrap().clone())).collect();
        let metadata = event.metadata();
        self.0.lock().unwrap().push(Seen { target: metadata.target(), level: *metadata.level(), fields, spans });
    }
}

fn seen(run: impl FnOnce(&Site)) -> Vec<Seen> {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    tracing::subscriber::with_default(subscriber, || run(&Site::new()));
    std::mem::take(&mut *keep.0.lock().unwrap())
}

fn of<'a>(seen: &'a [Seen], target: &str) -> Vec<&'a Seen> {
    seen.iter().filter(|event| event.target.starts_with(target)).collect()
}

#[test]
fn application_events_are_in_the_spans() {
    let seen = seen(|site| {
        site.exchange(&[get("/"), get("/a\"b")].concat());
        site.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    });
    let spans: Vec<_> = of(&seen, "observability").iter().map(|event| event.spans.clone()).collect();
    let shown: Vec<_> = spans
        .iter()
        .map(|spans| {
            let [("connection", connection), ("request", request)] = &spans[..] else { panic!("{spans:?}") };
            let [id, peer] = ["id", "peer"].map(|name| connection.get(name));
            let [number, method, path] = ["number", "method", "path"].map(|name| request.get(name));
            format!("{id} {peer} {number} {method} {path}")
        })
        .collect();
    assert_eq!(shown, ["1 192.0.2.1:50000 1 GET /", r"1 192.0.2.1:50000 2 GET /a\x22b", "2 192.0.2.1:50000 1 POST /"]);
}

#[test]
fn each_response_is_an_event() {
    let seen = seen(|site| {
        site.exchange(&get("/large"));
        site.exchange(b"GET /\"\\ HTTP/1.1\r\nHost: a\r\n\r\n");
        site.exchange(b"GET / HTTP/1.1\r\n\r\n");
    });
    let shown: Vec<_> = of(&seen, "httpants::access")
        .iter()
        .map(|event| {
            let names = ["remote_ip", "method", "target", "protocol", "status", "bytes", "complete", "duration_us"];
            names.map(|name| event.fields.get(name)).join(" ") + event.fields.get("refused")
        })
        .collect();
    assert_eq!(shown[0], "192.0.2.1 GET /large HTTP/1.1 200 100000 true 0");
    assert_eq!(shown[1], r"192.0.2.1 GET /\x22\x5C HTTP/1.1 200 5 true 0");
    assert!(
        shown[2].starts_with("192.0.2.1 GET / HTTP/1.1 400 ") && shown[2].ends_with("(RFC 9112 3.2)"),
        "{}",
        shown[2]
    );
}

#[test]
fn only_refusals_have_the_refused_field() {
    let seen = seen(|site| {
        let client = site.memory.connect();
        client.take_only(10);
        client.send(&[get("/a"), b"x\r\n\r\n".to_vec()].concat());
        site.memory.run();
        client.take_only(usize::MAX);
        site.memory.run();
        // The response has begun, and all of it so far was sent.
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
        let (client, _) = site.exchange(head.as_bytes());
        client.send(b"x\r\n");
        site.memory.run();
    });
    let shown: Vec<_> = of(&seen, "httpants::access")
        .iter()
        .map(|event| ["target", "status", "complete", "refused"].map(|name| event.fields.get(name)).join(" "))
        .collect();
    let [good, bad, broken] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(good, "/a 200 true ");
    assert!(bad.starts_with("- 400 true the request line"), "{bad}");
    assert!(broken.starts_with("/echo 200 false a chunk"), "{broken}");
}

#[test]
fn late_subscriber_gets_events_of_later_requests() {
    let memory = Memory::new();
    memory.start(Server::with_runtime(memory.clone(), async |_: Request| ""));
    let client = memory.connect();
    client.take_only(0);
    client.send(&get("/1"));
    memory.run();
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    tracing::subscriber::with_default(subscriber, || {
        client.send(&get("/2"));
        memory.run();
        client.take_only(usize::MAX);
        memory.run();
    });
    let seen = std::mem::take(&mut *keep.0.lock().unwrap());
    let targets: Vec<_> = of(&seen, "httpants::access").iter().map(|event| event.fields.get("target")).collect();
    assert_eq!(targets, ["/2"]);
}

#[test]
fn duration_is_from_head_to_last_byte_sent() {
    let seen = seen(|site| {
        site.exchange(&get("/busy"));
        site.exchange(&get("/slow"));
        site.memory.advance(Duration::from_secs(5));
        let client = site.memory.connect();
        client.take_only(10);
        client.send(&get("/busy"));
        site.memory.run();
        site.memory.advance(Duration::from_secs(7));
        client.take_only(usize::MAX);
        site.memory.run();
    });
    let durations: Vec<_> = of(&seen, "httpants::access").iter().map(|event| event.fields.get("duration_us")).collect();
    assert_eq!(durations, ["3000000", "5000000", "10000000"]);
}

fn proxy_events(prepare: impl Fn(&Memory, &Client)) -> Vec<String> {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    tracing::subscriber::with_default(subscriber, || {
        let memory = Memory::new();
        let server = Server::with_runtime(memory.clone(), async |_: Request| "");
        memory.start(server.config(|config| config.proxy_protocol = true));
        let client = memory.connect();
        prepare(&memory, &client);
        memory.advance(Duration::from_secs(60));
    });
    let seen = std::mem::take(&mut *keep.0.lock().unwrap());
    assert!(of(&seen, "httpants::access").is_empty(), "there was no request");
    let shown = of(&seen, "httpants::connection");
    assert!(shown.iter().all(|event| event.level == Level::INFO));
    shown.iter().map(|event| ["peer", "reason"].map(|name| event.fields.get(name)).join(" ")).collect()
}

#[test]
fn missing_proxy_header_is_an_event() {
    let cases: [(&[u8], bool, &str); 4] = [
        (b"GET / HTTP/1.1\r\n", false, "the connection must begin with a header of the PROXY protocol"),
        (b"PROXY TCP5 a\r\n", false, "a PROXY line must be TCP4 or TCP6"),
        (b"PROXY TCP4 192.0.2.7", true, "incomplete PROXY header: "),
        (b"PROXY TCP4 192.0.2.7", false, "incomplete PROXY header: "),
    ];
    for (sent, ends, reason) in cases {
        let events = proxy_events(|memory, client| {
            client.send(sent);
            memory.run();
            if ends {
                client.end();
            }
        });
        let [event] = &events[..] else { panic!("{events:?}") };
        assert!(event.starts_with(&format!("192.0.2.1:50000 {reason}")), "{event}");
    }
    // Probes of a load balancer.
    assert!(proxy_events(|_, client| client.end()).is_empty());
    assert!(proxy_events(|_, client| client.reset()).is_empty());
    assert!(proxy_events(|_, _| {}).is_empty());
}

/// No peer must be able to fill a log of errors.
#[test]
fn only_application_failures_are_logged_as_errors() {
    let levels = |run: &dyn Fn(&Site)| {
        let seen = seen(run);
        of(&seen, "httpants_driver").iter().map(|event| event.level).collect::<Vec<_>>()
    };
    let cut = levels(&|site| {
        let (client, _) =
            site.exchange(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        client.end();
        site.memory.run();
    });
    let malformed = levels(&|site| {
        site.exchange(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n");
    });
    for levels in [cut, malformed] {
        assert!(!levels.is_empty() && levels.iter().all(|level| *level == Level::DEBUG), "{levels:?}");
    }
    assert_eq!(levels(&|site| drop(site.exchange(&get("/broken")))), [Level::ERROR]);
    assert_eq!(levels(&|site| drop(site.exchange(&get("/panic")))), [Level::ERROR]);
}

/// Scanners send CONNECT to handlers that treat every method the same.
#[test]
fn refused_tunnel_is_counted_and_warned_of_once() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let (responses, counters) = tracing::subscriber::with_default(subscriber, || {
        let memory = Memory::new();
        let handle = memory.start(Server::with_runtime(memory.clone(), connected));
        let connect = |host| {
            let client = memory.connect();
            client.send(format!("CONNECT {host}:1 HTTP/1.1\r\nHost: {host}:1\r\n\r\n").as_bytes());
            memory.run();
            String::from_utf8(client.take_received()).unwrap()
        };
        let hosts = ["text", "empty", "stream", "responder", "file", "tunnel", "other"];
        (hosts.map(|host| connect(host)[9..12].to_owned()), handle.counters())
    });
    assert_eq!(responses, ["501", "501", "501", "501", "404", "200", "403"]);
    assert_eq!((counters.tunnels_refused, counters.upgrades), (4, 1));
    let seen = std::mem::take(&mut *keep.0.lock().unwrap());
    let levels: Vec<_> = of(&seen, "httpants_driver").iter().map(|event| event.level).collect();
    assert_eq!(levels, [Level::WARN, Level::DEBUG, Level::DEBUG, Level::DEBUG]);
}

async fn connected(request: Request) -> Response {
    let host = request.hostname().into_owned();
    match &*host {
        "text" => "hello".into(),
        "empty" => Response::new(204),
        "stream" => Response::stream(request.into_body()),
        "responder" => request.responder().send_response("hello", 200, "text/plain").unwrap_or_else(Into::into),
        "file" => Response::file("no/such/file"),
        "tunnel" => Response::tunnel(async |_| {}),
        _ => Response::new(403),
    }
}
