//! Tests of uploads with other programs. The names contain special characters; contents are
//! compared by their SHA-256.

use std::fs;

use serde_json::{Value, json};

use crate::demo::Demo;
use crate::programs::{curl, output};
use crate::uploads::sha256;

/// Returns all bytes, all line ends, and text that looks like a boundary.
fn content() -> Vec<u8> {
    let bytes: Vec<u8> = (0..=255).collect();
    [&bytes.repeat(2000)[..], b"\r\n--\r\n--boundary--\r\n\n\r"].concat()
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_uploads_files_with_awkward_names() {
    let (demo, folder) = (Demo::start(&[]), tempfile::tempdir().unwrap());
    let path = folder.path().join("file").display().to_string();
    fs::write(&path, content()).unwrap();
    for name in [
        "plain.bin",
        "with space.bin",
        "\u{fc}ber \u{20ac} \u{1f600}.bin",
        "semi;colon,comma.bin",
        "quote\"s.bin",
        "line\r\nend.bin",
    ] {
        let quoted = name.replace('"', "\\\"");
        let file = format!("file=@\"{path}\";filename=\"{quoted}\";type=image/x-noise");
        let field = format!("note=a \"{name}\"; &=+%");
        let arguments = ["--form", &file, "--form-string", &field, &demo.url("/any")];
        let report: Value = serde_json::from_str(&curl(&arguments, b"")).unwrap();
        let described = json!({
            "filename": name, "content_type": "image/x-noise", "size": content().len(), "sha256": sha256(&content()),
        });
        assert_eq!(report["files"], json!({"file": [described]}));
        assert_eq!(report["post"], json!({"note": [&field[5..]]}));
    }
    // curl sends line ends and quotes in the name of a field like browsers do.
    let fields = ["--form-string", "two\r\nlines=1", "--form-string", "a \"b\"=2"];
    let report: Value = serde_json::from_str(&curl(&[&fields[..], &[&demo.url("/any")]].concat(), b"")).unwrap();
    assert_eq!(report["post"], json!({"two\r\nlines": ["1"], "a \"b\"": ["2"]}));
    let file = format!("file=@{path}");
    let counted = curl(&["--form", &file, "--form", "a=12", &demo.url("/upload")], b"");
    assert_eq!(counted, format!("2 {}", content().len() + 2));
    let chunked = ["--header", "Transfer-Encoding: chunked", "--header", "Expect: 100-continue"];
    assert_eq!(
        curl(&[&chunked[..], &["--form", &file, &demo.url("/upload")]].concat(), b""),
        format!("1 {}", content().len())
    );
}

/// Sends a file with each name by the function `send`, which each program defines before this code,
/// and checks how it was received. A path in a name is removed; line ends are kept.
const PYTHON: &str = r#"
import hashlib, json, sys
base = sys.argv[1]
content = bytes(range(256)) * 2000 + b"\r\n--\r\n--boundary--\r\n"
names = ["plain.bin", "with space.bin", "\u00fcber \u20ac \U0001f600.bin", 'quote"s.bin', "semi;colon,comma.bin", "line\r\nend.bin"]
def check(name, report, field="file"):
    file, = report["files"][field]
    assert file["filename"] == name, (name, file)
    assert file["sha256"] == hashlib.sha256(content).hexdigest() and file["size"] == len(content), file
    assert report["post"] == {"note": ["\u00e4 \r\n&=+%"]}, report["post"]
fields = {"note": "\u00e4 \r\n&=+%"}
"#;

fn python(demo: &Demo, program: &str) {
    assert_eq!(output("python3", &["-c", &format!("{PYTHON}{program}"), &demo.url("")], b""), "done\n");
}

#[test]
#[ignore = "needs python3 with demo/tests/requirements.txt (pip)"]
fn requests_uploads_files_with_awkward_names() {
    python(
        &Demo::start(&[]),
        r#"
import requests
session = requests.Session()
for name in names:
    check(name, session.post(base + "/any", files={"file": (name, content, "image/x-noise")}, data=fields).json())
check("a", session.post(base + "/any", files={'f"\u00fc ld': ("a", content)}, data=fields).json(), 'f"\u00fc ld')
assert session.post(base + "/upload", files={"file": content}, data=fields).text == f"2 {len(content) + 9}"
assert session.post(base + "/any", data={"a": ["1", "x y"]}).json()["post"] == {"a": ["1", "x y"]}
print("done")
"#,
    );
}

#[test]
#[ignore = "needs python3 with demo/tests/requirements.txt (pip)"]
fn httpx_uploads_files_with_awkward_names() {
    python(
        &Demo::start(&[]),
        r#"
import httpx
with httpx.Client(timeout=30) as client:
    for name in names:
        check(name, client.post(base + "/any", files={"file": (name, content, "image/x-noise")}, data=fields).json())
    check("a", client.post(base + "/any", files={'f"\u00fc ld': ("a", content)}, data=fields).json(), 'f"\u00fc ld')
    assert client.post(base + "/upload", files={"file": content}, data=fields).text == f"2 {len(content) + 9}"
print("done")
"#,
    );
}

#[test]
#[ignore = "needs python3 with demo/tests/requirements.txt (pip)"]
fn aiohttp_uploads_files_with_awkward_names() {
    python(
        &Demo::start(&[]),
        r#"
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession() as session:
        for name in names:
            if "\r" in name:
                continue
            # Not the percent-encoding of its own that it has by default, and no browser.
            form = aiohttp.FormData(fields, quote_fields=False, default_to_multipart=True)
            form.add_field("file", content, filename=name, content_type="image/x-noise")
            async with session.post(base + "/any", data=form) as response:
                check(name, await response.json())
        # Line ends it refuses to send; as a browser writes them they arrive.
        for quote in True, False:
            form = aiohttp.FormData(fields, quote_fields=quote, default_to_multipart=True)
            try:
                form.add_field("file", content, filename="line\r\nend.bin")
                await session.post(base + "/any", data=form)
                assert False, "the program now supports it"
            except ValueError as error:
                assert "control character" in str(error), error
        form = aiohttp.FormData(fields, quote_fields=False, default_to_multipart=True)
        form.add_field("file", content, filename="line%0D%0Aend.bin")
        async with session.post(base + "/any", data=form) as response:
            check("line\r\nend.bin", await response.json())
        # What it encodes by default is no escape of a browser, and stays.
        form = aiohttp.FormData(fields, default_to_multipart=True)
        form.add_field("file", content, filename="a b\u00fc.bin")
        async with session.post(base + "/any", data=form) as response:
            check("a%20b%C3%BC.bin", await response.json())
        form = aiohttp.FormData()
        form.add_field("file", content, filename="x")
        async with session.post(base + "/upload", data=form) as response:
            assert await response.text() == f"1 {len(content)}"
asyncio.run(main())
print("done")
"#,
    );
}

#[test]
#[ignore = "needs node 20 or later (Debian: nodejs)"]
fn node_uploads_files_with_awkward_names() {
    let demo = Demo::start(&[]);
    let program = r#"
const assert = require('assert'), { createHash } = require('crypto');
(async () => {
  const base = process.argv[1];
  const content = Buffer.concat([Buffer.from(Array.from({length: 512000}, (_, i) => i % 256)), Buffer.from('\r\n--\r\n--boundary--\r\n')]);
  const sha256 = createHash('sha256').update(content).digest('hex');
  for (const name of ['plain.bin', 'with space.bin', '\u00fcber \u20ac \u{1f600}.bin', 'quote"s.bin', 'line\r\nend.bin']) {
    const form = new FormData();
    form.append('note', '\u00e4 &=+%');
    form.append('f"\u00fc ld', new File([content], name, {type: 'image/x-noise'}));
    const report = await (await fetch(base + '/any', {method: 'POST', body: form})).json();
    const described = {filename: name, content_type: 'image/x-noise', size: content.length, sha256};
    assert.deepEqual(report.files, {'f"\u00fc ld': [described]});
    assert.deepEqual(report.post, {note: ['\u00e4 &=+%']});
    assert.equal(await (await fetch(base + '/upload', {method: 'POST', body: form})).text(), `2 ${content.length + 7}`);
  }
  const body = new URLSearchParams([['a', '1'], ['a', 'x y'], ['\u00fc', '\u20ac&']]);
  const report = await (await fetch(base + '/any', {method: 'POST', body})).json();
  assert.deepEqual(report.post, {a: ['1', 'x y'], '\u00fc': ['\u20ac&']});
  console.log('done');
})();
"#;
    assert_eq!(output("node", &["-e", program, &demo.url("")], b""), "done\n");
}
