//! Tests of responses that cannot have a body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{Misuse, Request, Response};

use crate::world::{Notes, errors, failed, get, in_time, ok, start, text};

/// An endless stream.
struct Endless(Notes);

impl Stream for Endless {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.add("polled");
        Poll::Ready(Some(Ok(Bytes::from_static(b"x"))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

/// Methods and statuses of responses that cannot have a body.
const BODILESS: [(&str, u16); 4] = [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304)];

#[test]
fn stream_of_a_bodiless_response_is_dropped_unpolled() {
    for (method, status) in BODILESS {
        in_time(move || {
            let notes = Notes::default();
            let kept = notes.clone();
            let world = start(move |_, request: Request| {
                let notes = kept.clone();
                async move {
                    match request.path() {
                        "/" => Response::stream(Endless(notes)).with_status(status),
                        path => Response::text(path.to_owned()),
                    }
                }
            });
            let client = world.client(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(notes.take(), ["dropped"], "{method} {status}");
            let received = text(&client);
            assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{received}");
            assert!(received.ends_with("\r\n\r\n") && received.matches("\r\n\r\n").count() == 1, "{received}");
            assert_eq!(world.ask(&client, get("/next")), [ok("/next")], "the connection continues");
        });
    }
}

/// Sends a body through a responder; for `/returned` it returns the error, otherwise it ignores it.
async fn send(request: Request, status: u16, notes: Notes) -> Result<Response, Misuse> {
    let mut responder = request.responder();
    responder.send_status(status)?;
    responder.send_headers([("X-Sent", "yes")], true)?;
    responder.send("").await?;
    let sent = responder.send("content").await;
    notes.add(format!("{sent:?}"));
    if request.path() == "/returned" {
        sent?;
    }
    responder.finish().await
}

#[test]
fn send_on_a_bodiless_response_is_misuse_no_body() {
    for path in ["/returned", "/ignored"] {
        for (method, status) in BODILESS {
            let notes = Notes::default();
            let kept = notes.clone();
            let errors = errors(|| {
                let world = start(move |_, request| send(request, status, kept.clone()));
                let client = world.client(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(2));
                let received = text(&client);
                assert_eq!(received.matches(&format!("HTTP/1.1 {status} ")).count(), 2, "{received}");
                assert_eq!(received.matches("\r\n\r\n").count(), 2, "{received}");
                assert!(received.ends_with("\r\n\r\n") && received.matches("X-Sent: yes").count() == 2, "{received}");
                assert!(!client.is_ended());
            });
            assert_eq!(notes.take(), ["Err(NoBody)", "Err(NoBody)"], "{method} {status}");
            assert_eq!(errors, [""; 0], "a handler that ends with it has responded: {method} {status}");
        }
    }
}

#[test]
fn misuse_no_body_before_the_head_is_a_500() {
    let world = start(async |_, _: Request| Err::<Response, _>(Misuse::NoBody));
    let client = world.connect();
    assert_eq!(world.ask(&client, get("/")), [failed()]);
}
