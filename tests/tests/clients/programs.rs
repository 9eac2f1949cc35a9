//! Tests with other programs. Each is ignored by default, because it needs a program that may not
//! be installed; CI installs them and runs all of these.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::site::{self, LINK, text};

/// Runs a program; returns its output. It must succeed.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

fn curl(arguments: &[&str]) -> String {
    output("curl", &[&["--silent", "--show-error", "--max-time", "30"], arguments].concat())
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_decodes_responses_and_events() {
    for site in site::all() {
        for coding in ["gzip", "br", "zstd"] {
            let accept = format!("Accept-Encoding: {coding}");
            for path in ["/text", "/stream"] {
                assert!(curl(&["--compressed", "--header", &accept, &site.url(path)]) == text(), "{path} by {coding}");
            }
            let coded = curl(&[
                "--header",
                &accept,
                "--output",
                "/dev/null",
                "--write-out",
                "%{size_download}",
                &site.url("/text"),
            ]);
            assert!(coded.parse::<usize>().unwrap() < text().len() / 3, "{coding}: {coded} bytes");
            let events = curl(&["--no-buffer", "--compressed", "--header", &accept, &site.url("/events")]);
            let expected =
                "id: 1\ndata: one\ndata: two\n\nid: 2\ndata:  \u{20ac}: three\n\nevent: end\nid: \ndata: \n\n";
            assert_eq!(events, expected, "{coding}");
        }
    }
}

#[test]
#[ignore = "needs curl and gzip (Debian: curl, gzip)"]
fn curl_uploads_gzip_coded_data() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text");
    std::fs::write(&file, text()).unwrap();
    output("gzip", &["--best", file.to_str().unwrap()]);
    let data = format!("@{}.gz", file.display());
    for site in site::all() {
        let length = curl(&["--data-binary", &data, "--header", "Content-Encoding: gzip", &site.url("/length")]);
        assert_eq!(length, text().len().to_string(), "{}", site.name);
    }
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_passes_over_interim_responses() {
    for site in site::all() {
        let received = curl(&["--include", &site.url("/hints")]);
        let (interim, rest) = received.split_once("HTTP/1.1 200 OK\r\n").unwrap();
        let expected =
            format!("HTTP/1.1 103 Early Hints\r\nLink: {LINK}\r\n\r\nHTTP/1.1 102 Processing\r\nX-Progress: 1\r\n\r\n");
        assert_eq!(interim, expected);
        assert!(rest.ends_with(&text()));
        let twice = curl(&["--write-out", "%{num_connects}", &site.url("/hints"), &site.url("/hints")]);
        assert_eq!(twice, format!("{0}1{0}0", text()), "the connection is used again");
    }
}

#[test]
#[ignore = "needs Node.js (Debian: nodejs)"]
fn node_reads_hints_events_and_compressed_responses() {
    let script = "
        const http = require('http'), zlib = require('zlib');
        const base = process.argv[1];
        const hints = [];
        const get = (path, coding) => new Promise((resolve, reject) => {
            const request = http.get(base + path, { headers: { 'Accept-Encoding': coding } }, response => {
                const pieces = [];
                response.on('data', piece => pieces.push(piece));
                response.on('end', () => resolve([response, Buffer.concat(pieces)]));
            });
            request.on('information', info => hints.push([info.statusCode, info.headers.link || '']));
            request.on('error', reject);
        });
        (async () => {
            for (const path of ['/text', '/stream', '/hints']) {
                const [plain, content] = await get(path, 'identity');
                const [gzip, zipped] = await get(path, 'gzip');
                const [br, brotli] = await get(path, 'br');
                console.log(plain.headers['content-encoding'], gzip.headers['content-encoding'], br.headers['content-encoding'],
                    zlib.gunzipSync(zipped).equals(content), zlib.brotliDecompressSync(brotli).equals(content), content.length);
            }
            console.log(JSON.stringify(hints[0]), hints.length);
            console.log(JSON.stringify((await get('/events', 'identity'))[1].toString()));
            // fetch decodes content codings.
            console.log((await (await fetch(base + '/stream')).text()).length);
            // Exits at once, instead of waiting for the end of its idle connections.
            process.exit();
        })();";
    for site in site::all() {
        let length = text().len();
        let line = format!("undefined gzip br true true {length}\n");
        let events = r#""id: 1\ndata: one\ndata: two\n\nid: 2\ndata:  €: three\n\nevent: end\nid: \ndata: \n\n""#;
        let expected = format!("{line}{line}{line}[103,\"{LINK}\"] 6\n{events}\n{}\n", text().encode_utf16().count());
        assert_eq!(output("node", &["-e", script, &site.url("")]), expected);
    }
}

#[test]
#[ignore = "needs Python (Debian: python3)"]
fn python_reads_hints_events_and_compressed_responses() {
    let script = "
import gzip, http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], timeout=30)
for path in ['/text', '/stream', '/plain']:
    connection.request('GET', path, headers={'Accept-Encoding': 'gzip'})
    response = connection.getresponse()
    content = response.read()
    coding = response.getheader('Content-Encoding')
    print(coding, len(gzip.decompress(content) if coding else content))
connection.request('GET', '/events', headers={'Last-Event-ID': '2'})
print(repr(connection.getresponse().read().decode()))
";
    for site in site::all() {
        let length = text().len();
        let expected = format!("gzip {length}\ngzip {length}\nNone {length}\n'event: end\\nid: \\ndata: \\n\\n'\n");
        assert_eq!(output("python3", &["-c", script, &site.address.to_string()]), expected);
    }
}

#[test]
#[ignore = "needs the Python packages of demo/tests/requirements.txt"]
fn python_packages_read_hints_events_and_compressed_responses() {
    let script = "
import asyncio, aiohttp, httpx, requests, sys
base = sys.argv[1]
paths = ['/text', '/stream', '/plain', '/hints', '/events']
def show(client, path, status, coding, content):
    print(client, path, status, coding, len(content) if path != '/events' else content.decode().split('\\n')[:2])
with requests.Session() as session:
    for path in paths[:3] + paths[4:]:
        response = session.get(base + path, timeout=30, headers={'Accept-Encoding': 'gzip'})
        show('requests', path, response.status_code, response.headers.get('Content-Encoding'), response.content)
with httpx.Client(timeout=30, headers={'Accept-Encoding': 'gzip'}) as client:
    for path in paths:
        response = client.get(base + path)
        show('httpx', path, response.status_code, response.headers.get('Content-Encoding'), response.content)
async def all_by_aiohttp():
    async with aiohttp.ClientSession(headers={'Accept-Encoding': 'gzip'}) as session:
        for path in paths:
            async with session.get(base + path) as response:
                content = await response.read()
                show('aiohttp', path, response.status, response.headers.get('Content-Encoding'), content)
asyncio.run(all_by_aiohttp())
";
    for site in site::all() {
        let lines = |client: &str| {
            let line = |path: &str, coding: &str| format!("{client} {path} 200 {coding} {}\n", text().len());
            // http.client, and therefore requests, treats any interim response except 100 as the
            // final one: https://github.com/python/cpython/issues/42550
            let hints = if client == "requests" { String::new() } else { line("/hints", "gzip") };
            let (text, stream, plain) = (line("/text", "gzip"), line("/stream", "gzip"), line("/plain", "None"));
            format!("{text}{stream}{plain}{hints}{client} /events 200 gzip ['id: 1', 'data: one']\n")
        };
        let expected = ["requests", "httpx", "aiohttp"].map(lines).concat();
        assert_eq!(output("python3", &["-c", script, &site.url("")]), expected, "{}", site.name);
    }
}

#[test]
#[ignore = "needs Chromium (Debian: chromium)"]
fn chromium_reads_events_hints_and_compressed_responses() {
    for site in site::all() {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(site.url("/"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let report = site.reports.recv_timeout(Duration::from_secs(60));
        let _ = browser.kill();
        let _ = browser.wait();
        let length = text().encode_utf16().count();
        let expected = format!(
            "{{\"/text\":[true,{length},\" \u{20ac}\\n\"],\"/hints\":[true,{length},\" \u{20ac}\\n\"],\
             \"/plain\":[false,{length},\" \u{20ac}\\n\"],\"events\":[[\"message\",\"one\\ntwo\",\"1\"],\
             [\"message\",\" \u{20ac}: three\",\"2\"],[\"end\",\"\",\"\"]],\"interim\":[false,true]}}"
        );
        assert_eq!(report.unwrap(), expected, "{}", site.name);
    }
}
