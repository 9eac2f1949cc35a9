//! The server's counters in the text format of Prometheus.

use std::fmt::Write;

use httpants_tokio::{Counters, Request, Response};

/// Returns the counters of the server that received the request.
pub(crate) fn respond(request: &Request) -> Response {
    Response::bytes("text/plain; version=0.0.4; charset=utf-8", text(&request.server_handle().counters()))
}

fn text(counters: &Counters) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: u64| {
        let _ = writeln!(text, "httpants_{name} {value}");
    };
    line("connections_accepted_total", counters.connections_accepted);
    line("connections_open", counters.connections_open);
    line("requests_total", counters.requests);
    let responses = &counters.responses;
    for (class, count) in [
        ("1xx", responses.informational),
        ("2xx", responses.successful),
        ("3xx", responses.redirection),
        ("4xx", responses.client_error),
        ("5xx", responses.server_error),
        ("other", responses.other),
    ] {
        line(&format!("responses_total{{class=\"{class}\"}}"), count);
    }
    line("received_bytes_total", counters.bytes_received);
    line("sent_bytes_total", counters.bytes_sent);
    line("upgrades_total", counters.upgrades);
    line("handler_panics_total", counters.handler_panics);
    line("uploads_spilled_total", counters.uploads_spilled);
    for (fault, count) in &counters.refusals {
        let status = fault.status().as_u16();
        line(&format!("refusals_total{{status=\"{status}\",reason=\"{}\"}}", fault.id()), count);
    }
    for (timer, count) in &counters.timeouts {
        line(&format!("timeouts_total{{timer=\"{timer}\"}}"), count);
    }
    text
}
