//! Tests of events in Chromium across a restart of the server.

use std::net::TcpListener;

use crate::browser::{Browser, Screen};
use crate::demo::Demo;
use crate::runtimes::RUNTIMES;

#[test]
#[ignore = "needs chromium and chromedriver (Debian: chromium chromium-driver)"]
fn chromium_continues_events_at_the_next_server() {
    let mut browser = Browser::start(Screen::LightDesktop);
    for runtime in RUNTIMES {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let flags = ["--runtime", runtime, "--compress"];
        let mut demo = Demo::inheriting(socket.try_clone().unwrap(), &flags);
        browser.open(&demo.url("/"));
        browser.click("#events-start");
        let lines = "[...document.querySelectorAll('#events-log li')].map(line => line.textContent)";
        browser.wait_for(&format!("{lines}.includes('event 2 id 2')"), true);
        demo.terminate();
        assert_eq!(demo.exit().code(), Some(0), "{runtime}");
        let _next = Demo::inheriting(socket, &flags);
        browser.wait_for(&format!("{lines}.includes('event 7 id 7')"), true);
        // Each event was received once, in order.
        let numbers =
            format!("{lines}.filter(line => line.startsWith('event ')).map(line => Number(line.split(' ')[1]))");
        browser.wait_for(&format!("{numbers}.every((number, index) => number === index + 1)"), true);
        browser
            .wait_for(&format!("{lines}.some(line => line.startsWith('connected again with Last-Event-ID '))"), true);
        browser.wait_for("document.querySelector('#health').textContent", "healthy");
    }
}
