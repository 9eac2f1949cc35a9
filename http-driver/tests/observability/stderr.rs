//! Tests of the output on standard error without a subscriber. They run in child processes, because
//! other tests set a subscriber.

use std::process::Command;

use crate::site::{Site, get};

const CHILD: &str = "OBSERVABILITY_CHILD";
const TEST: &str = "stderr::failures_go_to_stderr_once_each_without_a_subscriber";

/// Runs the test again in a child process with this action.
fn child(action: &str) -> Vec<String> {
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", TEST, "--nocapture"]).env(CHILD, action).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().filter(|line| line.starts_with("httpants: ")).map(Into::into).collect()
}

/// Causes two responses that end too early, responses that cannot be sent for 20 reasons (each
/// twice), two aborted by the application, and one aborted by a peer.
fn fail() {
    let site = Site::new();
    site.exchange(&get("/short"));
    site.exchange(&get("/short-responder"));
    for status in (1..=20).flat_map(|status| [status, status]) {
        site.exchange(&get(&format!("/status?{status}")));
    }
    for _ in 0..2 {
        site.exchange(&get("/broken"));
    }
    let (client, _) = site.exchange(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
    client.end();
    site.memory.run();
}

#[test]
fn failures_go_to_stderr_once_each_without_a_subscriber() {
    match std::env::var(CHILD).as_deref() {
        Ok("alone") => fail(),
        Ok(_) => tracing::subscriber::with_default(tracing_subscriber::registry(), fail),
        Err(_) => {
            let misuse =
                |status| format!("httpants: cannot send a response; misuse: status {status} is outside 100 to 999");
            let mut expected = [
                "httpants: response aborted; error: the response ended 7 bytes before its Content-Length",
                "httpants: cannot send a response; misuse: the response ended 2 bytes before its Content-Length",
            ]
            .map(String::from)
            .to_vec();
            // Up to 16 lines for each call site.
            expected.extend((1..=15).map(misuse));
            expected.push("httpants: response aborted; error: on purpose".to_owned());
            assert_eq!(child("alone"), expected);
            assert_eq!(child("with a subscriber"), [""; 0]);
        }
    }
}
