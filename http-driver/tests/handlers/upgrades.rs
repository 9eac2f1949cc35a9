//! Tests of upgrades that are not possible, and of responses to CONNECT without a tunnel.

use httpants_driver::{Misuse, Request, Response};
use httpants_testkit::memory::Memory;

use crate::world::{ReceivedResponse, errors, failed, get, ok, responses, seconds, start, start_streaming};

/// Responds as selected by the first segment of the path or the authority.
async fn application(_: Memory, request: Request) -> Result<Response, Misuse> {
    let case = request.path().to_owned();
    let case = if case.is_empty() { request.host().to_owned() } else { case };
    Ok(match case.trim_start_matches('/').split(':').next().unwrap_or_default() {
        "tunnel" => Response::tunnel(async |_| {}),
        "upgrade-200" => Response::upgrade("echo", async |_| {}).with_status(200),
        "upgrade-204" => Response::upgrade("echo", async |_| {}).with_status(204),
        "upgrade" => Response::upgrade("echo", async |_| {}),
        "responder-101" => {
            let mut responder = request.responder();
            responder.send_status(101)?;
            responder.send_headers([("Upgrade", "echo")], true)?;
            return responder.finish().await;
        }
        "whole-101" => Response::new(101),
        "stream-101" => Response::stream(request.into_body()).with_status(101),
        "whole" => Response::text("plain"),
        "stream" => Response::stream(request.into_body()),
        "empty" => Response::new(204),
        "file" => Response::file("Cargo.toml"),
        "responder" => return request.responder().send_response("plain", 200, "text/plain"),
        "refused" => Response::new(403),
        other => Response::text(other.to_owned()),
    })
}

/// Returns the responses to a request and, after a day, to the next one. Checks that the connection
/// is then usable or closed, and that the error was logged.
fn run_scene(request: String) -> Vec<ReceivedResponse> {
    let mut received = Vec::new();
    let errors = errors(|| {
        let world = start(application);
        let client = world.connect();
        received = world.ask(&client, &request);
        assert!(!received.is_empty(), "{request}: it hangs");
        if client.is_ended() {
            received.push((0, None));
        } else {
            received.extend(world.ask(&client, get("/next")));
        }
        world.memory.advance(seconds(24 * 3600));
        assert!(client.is_closed(), "{request}: it is never closed");
        world.assert_left();
    });
    // Scanners send CONNECT: its refusal is a warning, not an error.
    let expected = usize::from(!received.contains(&not_implemented()));
    assert_eq!(errors.len(), expected, "{request}: {errors:?}");
    received
}

fn not_implemented() -> (u16, Option<String>) {
    (501, Some("Not Implemented\n".to_owned()))
}

fn connect(case: &str) -> String {
    format!("CONNECT {case}:1 HTTP/1.1\r\nHost: {case}:1\r\n\r\n")
}

#[test]
fn upgrade_without_an_offer_is_a_500() {
    let cases = ["tunnel", "upgrade-200", "upgrade-204", "upgrade", "responder-101", "whole-101", "stream-101"];
    for case in cases {
        assert_eq!(run_scene(get(&format!("/{case}"))), [failed(), ok("next")], "{case}");
    }
}

#[test]
fn other_status_than_101_to_an_offer_is_a_500() {
    for case in ["tunnel", "upgrade-200", "upgrade-204", "responder-101", "whole-101", "stream-101"] {
        let offer = format!("GET /{case} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        assert_eq!(run_scene(offer), [failed(), ok("next")], "{case}");
    }
}

#[test]
fn success_to_connect_without_a_tunnel_is_a_501() {
    for case in ["whole", "stream", "empty", "responder"] {
        assert_eq!(run_scene(connect(case)), [not_implemented(), ok("next")], "{case}");
    }
}

#[test]
fn refusal_of_connect_is_a_response() {
    let world = start(application);
    let client = world.connect();
    assert_eq!(world.ask(&client, connect("refused") + &get("/next")), [(403, Some(String::new())), ok("next")]);
    let received = world.ask(&client, connect("file") + &get("/next"));
    assert_eq!((received[0].0, &received[1..]), (405, &[ok("next")][..]));
}

#[test]
fn upgrade_before_the_body_was_read_is_a_500() {
    let offer = "POST /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n";
    for head in [offer, "CONNECT tunnel:1 HTTP/1.1\r\nHost: tunnel:1\r\n"] {
        let errors = errors(|| {
            let world = start_streaming(application);
            let client = world.client(format!("{head}Content-Length: 5\r\n\r\n"));
            assert_eq!(responses(&client), [failed()], "{head}");
            assert_eq!(world.ask(&client, "12345".to_owned() + &get("/next")), [ok("next")], "{head}");
        });
        assert_eq!(errors.len(), 1, "{head}: {errors:?}");
    }
}
