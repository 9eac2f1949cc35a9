//! Tests of the page in Chromium: each part of it, on a desktop and on a phone.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::browser::{Browser, Screen};
use crate::demo::Demo;
use crate::tls::Certified;

/// The name for the login, which must not be interpreted as HTML.
const NAME: &str = "J\u{f6} & co; <b>";

#[test]
#[ignore = "needs chromium and chromedriver (Debian: chromium chromium-driver)"]
fn chromium_uses_the_page_on_a_desktop() {
    for (flags, codings) in [
        (&["--runtime", "tokio", "--compress"][..], ["zstd", "zstd", "zstd", "none"]),
        (&["--runtime", "async-std"], ["none"; 4]),
    ] {
        let demo = Demo::start(flags);
        let mut browser = use_the_page(&demo, Screen::LightDesktop);
        assert_compressed(&mut browser, &codings);
        assert_policy(&mut browser);
    }
}

#[test]
#[ignore = "needs chromium and chromedriver (Debian: chromium chromium-driver)"]
fn chromium_uses_the_page_on_a_phone_over_tls() {
    let demo = Certified::new().start(&["--runtime", "smol", "--compress"]);
    let mut browser = use_the_page(&demo, Screen::DarkPhone);
    assert_compressed(&mut browser, &["zstd", "zstd", "zstd", "none"]);
    assert_policy(&mut browser);
}

#[test]
#[ignore = "needs chromium and chromedriver (Debian: chromium chromium-driver)"]
fn chromium_shows_why_an_upload_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(50_000_000).unwrap();
    let demo = Demo::start(&["--max-request", "1000000"]);
    let mut browser = Browser::start(Screen::LightDesktop);
    browser.open(&demo.url("/"));
    browser.enter("#upload input[type=file]", file.path().to_str().unwrap());
    // The upload is refused because of its head; the browser reads the response after it has sent
    // everything.
    browser.click("#upload-start");
    let refusal = "413: the content is larger than allowed (RFC 9110 15.5.14)";
    browser.wait_for("document.querySelector('#upload-state').textContent", refusal);
    browser.wait_for("document.querySelector('#upload-start').disabled", false);
}

fn use_the_page(demo: &Demo, screen: Screen) -> Browser {
    let mut browser = Browser::start(screen);
    browser.open(&demo.url("/?q=%C3%A4"));
    read_the_request(&mut browser, screen);
    log_in_and_out(&mut browser, demo);
    upload(&mut browser);
    browser.wait_for("document.querySelector('#health').textContent", "healthy");
    browser.wait_for("Number(document.querySelector('#requests').textContent) > 0", true);
    follow_events(&mut browser);
    talk(&mut browser);
    stream(&mut browser);
    get_a_range(&mut browser);
    assert_layout(&mut browser, screen);
    assert_keyboard(&mut browser);
    assert_eq!(browser.console(), Vec::<String>::new(), "{screen:?}");
    browser
}

fn read_the_request(browser: &mut Browser, screen: Screen) {
    let fact = |table: &str, name: &str| {
        format!(
            "(row => row && row.cells[1].textContent)\
             ([...document.querySelectorAll('#{table} tr')].find(row => row.cells[0].textContent === '{name}'))"
        )
    };
    browser.wait_for(&fact("facts", "Query"), "q = \u{e4}");
    browser.wait_for(&fact("facts", "Target"), "/inspect?q=%C3%A4");
    browser.wait_for(&fact("facts", "Your address"), "127.0.0.1");
    browser.wait_for(&fact("headers", "Sec-Fetch-Mode"), "cors");
    browser.wait_for("JSON.parse(document.querySelector('#json').textContent).method", "GET");
    let colour = if screen == Screen::DarkPhone { "rgb(17, 21, 27)" } else { "rgb(244, 245, 247)" };
    browser.wait_for("getComputedStyle(document.body).backgroundColor", colour);
}

fn log_in_and_out(browser: &mut Browser, demo: &Demo) {
    let (who, message) =
        ("document.querySelector('#who').textContent", "document.querySelector('#message')?.textContent");
    browser.wait_for(who, "You are not logged in.");
    browser.enter("#name", NAME);
    browser.click("#log-in");
    browser.wait_for(who, format!("Logged in as {NAME}."));
    browser.wait_for(message, format!("Welcome, {NAME}!"));
    // Scripts do not see the cookies.
    browser.wait_for("document.cookie", "");
    browser.open(&demo.url("/"));
    browser.wait_for(who, format!("Logged in as {NAME}."));
    browser.wait_for(message, Value::Null);
    browser.click("#log-out");
    browser.wait_for(who, "You are not logged in.");
    browser.wait_for(message, "You are logged out.");
}

fn upload(browser: &mut Browser) {
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("\u{fc}ber file.bin"), folder.path().join("small.txt"));
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number >> 3) as u8).collect();
    fs::write(&large, &content).unwrap();
    fs::write(&small, "hello").unwrap();
    // Slow enough for the progress to be displayed.
    let network =
        |upload: i64| json!({"offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload});
    browser.devtools("Network.enable", &json!({}));
    browser.devtools("Network.emulateNetworkConditions", &network(1_000_000));
    browser.evaluate(
        "(window.progress = [], new MutationObserver(() => progress.push(document.querySelector('#upload-progress').value))\
         .observe(document.querySelector('#upload-progress'), { attributes: true }))",
    );
    browser.enter("#upload input[name=note]", "four");
    browser.enter("#upload input[type=file]", &format!("{}\n{}", large.display(), small.display()));
    browser.click("#upload-start");
    let hash = |content: &[u8]| Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    browser.wait_for(
        "[...document.querySelectorAll('#uploaded li')].map(item => item.textContent)",
        json!([
            format!("\u{fc}ber file.bin application/octet-stream, 2.9 MiB{}", hash(&content)),
            format!("small.txt text/plain, 5 B{}", hash(b"hello")),
        ]),
    );
    browser.wait_for("document.querySelector('#upload-state').textContent.startsWith('2 files, 2.9 MiB in ')", true);
    let progress = browser.evaluate("progress");
    let progress: Vec<_> = progress.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert!(progress.len() > 2 && progress.is_sorted() && progress.last() == Some(&1.0), "{progress:?}");
    // So slow that the upload does not end before the click.
    browser.devtools("Network.emulateNetworkConditions", &network(10_000));
    browser.click("#upload-start");
    browser.click("#upload-cancel");
    browser.wait_for("document.querySelector('#upload-state').textContent", "cancelled");
    browser.devtools("Network.emulateNetworkConditions", &network(-1));
}

/// The server ends the stream after five events; later ones are in the next stream.
fn follow_events(browser: &mut Browser) {
    browser.click("#events-start");
    let lines = "[...document.querySelectorAll('#events-log li')].map(line => line.textContent).slice(0, 7)";
    let event = |number: u32| format!("event {number} id {number}");
    let again = "connected again with Last-Event-ID 5".to_owned();
    browser.wait_for(lines, json!([event(1), event(2), event(3), event(4), event(5), again, event(6)]));
    browser.click("#events-stop");
    browser.wait_for("document.querySelector('#events-state').textContent", "not connected");
}

fn talk(browser: &mut Browser) {
    let state = "document.querySelector('#ws-state').textContent";
    browser.click("#ws-open");
    browser.wait_for(state, "connected");
    browser.enter("#ws-text", "\u{20ac} <b>");
    browser.click("#ws-send");
    browser.wait_for(
        "[...document.querySelectorAll('#ws-log li')].map(line => line.textContent)",
        json!(["\u{2192} \u{20ac} <b>", "\u{2190} \u{20ac} <b>"]),
    );
    browser.click("#ws-close");
    browser.wait_for(state, "closed with code 1000");
}

fn stream(browser: &mut Browser) {
    browser.enter("#stream input[name=delay]", "20");
    browser.click("#stream-start");
    let state = "document.querySelector('#stream-state').textContent";
    browser.wait_for(&format!("{state}.startsWith('1.3 MiB of 1.3 MiB in ')"), true);
    let bars = browser.evaluate("document.querySelectorAll('#stream-bars span').length");
    assert!(bars.as_u64() > Some(1), "it came in pieces: {bars}");
    browser.enter("#stream input[name=delay]", "10000");
    browser.wait_for("document.querySelector('#stream-start').disabled", false);
    browser.click("#stream-start");
    browser.click("#stream-stop");
    browser.wait_for(state, "stopped");
}

fn get_a_range(browser: &mut Browser) {
    let files = "[...document.querySelectorAll('#files a')].map(a => a.textContent)";
    browser.wait_for(files, json!(["16k", "1m", "hello.txt", "index.html"]));
    browser.enter("#range-first", "12");
    browser.enter("#range-last", "21");
    browser.click("#range-get");
    browser.wait_for(
        "[...document.querySelectorAll('#range-head tr')].slice(0, 4).map(row => row.cells[1].textContent)",
        json!(["bytes=12-21 (sent)", "206 Partial Content", "bytes 12-21/16384", "10"]),
    );
    browser.wait_for(
        "document.querySelector('#range-bytes').textContent",
        "000012  30 30 30 0a 30 30 30 30  000.0000\n000020  30 30                    00",
    );
}

/// Checks the encoded sizes of the page, two texts and JSON.
fn assert_compressed(browser: &mut Browser, codings: &[&str]) {
    browser.click("#compression-start");
    let column = |index: u32| {
        format!("[...document.querySelectorAll('#sizes tbody tr')].map(row => row.cells[{index}].textContent)")
    };
    browser.wait_for(&column(3), json!(codings));
    let (plain, sent) = (browser.evaluate(&column(1)), browser.evaluate(&column(2)));
    for (index, coding) in codings.iter().enumerate() {
        assert_eq!(plain[index] == sent[index], *coding == "none", "{index}: {plain} {sent}");
    }
    assert_eq!((&plain[1], &plain[2]), (&json!("64 KiB"), &json!("1 MiB")));
    let hint = browser.evaluate("document.querySelector('#compression-state').textContent.includes('--compress')");
    assert_eq!(hint, json!(codings[0] == "none"));
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Checks that nothing is wider than the screen, and that each field has a label.
fn assert_layout(browser: &mut Browser, screen: Screen) {
    let width = if screen == Screen::DarkPhone { 360 } else { 1280 };
    browser.wait_for("[innerWidth, document.documentElement.scrollWidth <= innerWidth]", json!([width, true]));
    let cut = "[...document.querySelectorAll('main *')].filter(part => !part.closest('pre, .log, .unseen') \
               && part.getBoundingClientRect().right > innerWidth).map(part => part.outerHTML)";
    browser.wait_for(cut, json!([]));
    let unnamed = "[...document.querySelectorAll('input, select, progress')].filter(field => \
                   !field.labels.length && !field.ariaLabel).map(field => field.outerHTML)";
    browser.wait_for(unnamed, json!([]));
}

/// Checks that the tab key reaches every control, and that the focus is visible.
fn assert_keyboard(browser: &mut Browser) {
    let all = "[...document.querySelectorAll('a, button, input, select, summary, pre, .log')]\
               .filter(part => !part.disabled && part.checkVisibility())";
    browser.evaluate(
        "(document.activeElement.blur(), window.reached = new Set(), document.addEventListener('focusin', event => {\
         if (getComputedStyle(event.target).outlineStyle !== 'none') reached.add(event.target); }))",
    );
    let count = browser.evaluate(&format!("{all}.length")).as_u64().unwrap();
    browser.press("\u{e004}", usize::try_from(count).unwrap() + 20);
    browser.wait_for(&format!("{all}.filter(part => !reached.has(part)).map(part => part.outerHTML)"), json!([]));
    // With the keyboard only.
    browser.evaluate("document.querySelector('#ws-open').focus()");
    browser.press(" ", 1);
    browser.wait_for("document.querySelector('#ws-state').textContent", "connected");
}

/// Checks that the Content-Security-Policy forbids creating HTML from text, and scripts of other
/// origins.
fn assert_policy(browser: &mut Browser) {
    let refused =
        "(() => { try { document.createElement('p').innerHTML = '<b>'; } catch (error) { return error.name; } })()";
    browser.wait_for(refused, "TypeError");
    browser.evaluate(
        "document.head.append(Object.assign(document.createElement('style'), { textContent: 'body { display: none }' }))",
    );
    browser.wait_for("getComputedStyle(document.body).display", "block");
    let console = browser.console();
    assert!(console.iter().any(|message| message.contains("style-src")), "{console:?}");
}
