mod part_headers;

use super::*;
use crate::random::Random;

const BOUNDARY: &[u8] = b"b0";

/// The parsed form: parts with their whole content, and the verdict.
#[derive(Debug, Default, PartialEq)]
struct Log {
    parts: Vec<(String, Option<String>, Vec<u8>)>,
    /// Number of complete parts.
    complete: usize,
    end: Option<Result<(), ParseFormError>>,
}

impl Log {
    fn take(&mut self, multipart: &mut Multipart) {
        loop {
            match multipart.poll_event() {
                Ok(Some(MultipartEvent::PartStart(part))) => {
                    assert_eq!(self.parts.len(), self.complete);
                    self.parts.push((part.name().to_string(), part.filename().map(str::to_string), Vec::new()));
                }
                Ok(Some(MultipartEvent::Data(piece))) => {
                    assert!(!piece.is_empty());
                    self.parts.last_mut().unwrap().2.extend_from_slice(&piece);
                }
                Ok(Some(MultipartEvent::PartEnd)) => {
                    self.complete += 1;
                    assert_eq!(self.parts.len(), self.complete);
                }
                Ok(Some(MultipartEvent::End)) => {
                    assert_eq!(self.end.replace(Ok(())), None);
                    assert_eq!(self.parts.len(), self.complete);
                }
                Ok(None) => return,
                Err(fault) => {
                    self.end = Some(Err(fault));
                    assert_eq!(multipart.poll_event().unwrap_err(), fault, "an error stands");
                    return;
                }
            }
        }
    }

    /// Removes the content of an unfinished part, because its length before an error depends on the
    /// cuts.
    fn without_unfinished_content(mut self) -> Self {
        if let Some((_, _, content)) = self.parts.get_mut(self.complete) {
            content.clear();
        }
        self
    }
}

fn parser(limits: &FormLimits) -> Multipart {
    Multipart::new(&Boundary::new(BOUNDARY).unwrap(), limits)
}

fn read_with<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &FormLimits) -> Log {
    let (mut multipart, mut log) = (parser(limits), Log::default());
    for piece in pieces {
        multipart.receive(Bytes::copy_from_slice(piece));
        log.take(&mut multipart);
    }
    multipart.handle_eof();
    log.take(&mut multipart);
    assert!(log.end.is_some());
    log.without_unfinished_content()
}

fn read(body: &[u8]) -> Log {
    read_with([body], &FormLimits::default())
}

fn verdict(body: impl AsRef<[u8]>, limits: &FormLimits) -> Result<usize, ParseFormError> {
    let body = body.as_ref();
    let whole = read_with([body], limits);
    assert_eq!(read_with(body.chunks(1), limits), whole, "byte by byte");
    whole.end.unwrap().map(|()| whole.parts.len())
}

fn text(content: &str) -> String {
    format!("--b0\r\nContent-Disposition: form-data; name=t\r\n\r\n{content}\r\n")
}

fn file(content: &str) -> String {
    format!("--b0\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n{content}\r\n")
}

/// Text that resembles a delimiter, but is content.
const NEAR: [&str; 26] = [
    "\r--b0",
    "\n--b0\r\n",
    "x--b0\r\n",
    "\r\r\n--b0x\r\n",
    "\r\n--b00\r\n",
    "\r\n--b\r\n",
    "\r\n-b0\r\n",
    "\r\n--B0\r\n",
    "\r\n--b0-\r\n",
    "\r\n--b0-",
    "\r\n--b0--x",
    "\r\n--b0---\r\n",
    "\r\n--b0-- -\r\n",
    "\r\n--b0 --\r\n",
    "\r\n--b0 x\r\n",
    "\r\n--b0\n",
    "\r\n--b0\rx",
    "\r\n--b0 \t \rx",
    "\r\n--b0--x\n",
    "\r\n--b0--\r\r",
    "\r\n --b0\r\n",
    "\r\n---b0\r\n",
    "\r\n--b0\r--b0\r\n--b0\x0b\r\n",
    "\r\n--b0\0\r\n",
    "\r\n--\r\n--",
    "\r\n\r\n\r",
];

/// Returns a form of about 2 KB: a preamble, near delimiters in preamble, text, file and epilogue,
/// delimiters with padding, parts without content and without the line break before it.
fn fixture() -> Vec<u8> {
    let near = NEAR.concat();
    let mut body = format!("pre\r--b0\r\n--b0x{}", NEAR[4]);
    body += "\r\n--b0 \t \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    body += &near;
    body += "\r\n--b0\r\ncontent-disposition: form-data; name=\"f\"; filename=\"C:\\d\\x y.bin\"\r\n";
    body += "Content-Type: application/octet-stream\r\n\r\n";
    body += &near.repeat(3);
    body += "\r\n\r\n--b0\t\r\nContent-Disposition: form-data; name=empty\r\n\r\n";
    body += "\r\n--b0\r\nContent-Disposition: form-data; name=none\r\n\r\n--b0\r\n";
    body += "Content-Disposition: form-data; name=\"gr\u{f6}\u{df}e\"; filename=\"\u{65e5}\u{672c}%22.txt\"\r\n\r\n";
    body += &"line\r\n".repeat(60);
    body += "\r\n--b0-- \t\r\n--b0\r\nepilogue\r\n--b0--";
    body.into_bytes()
}

#[test]
fn only_multipart_forms_are_accepted() {
    for (field, expected) in [
        ("Content-Type: multipart/form-data; boundary=x\r\n", Ok(())),
        ("Content-Type: multipart/form-data\r\n", Err(ParseFormError::MissingBoundary)),
        ("Content-Type: multipart/mixed; boundary=x\r\n", Err(ParseFormError::ContentType)),
        ("Content-Type: application/x-www-form-urlencoded\r\n", Err(ParseFormError::ContentType)),
        ("", Err(ParseFormError::ContentType)),
    ] {
        let headers = Headers::parse(format!("{field}\r\n").as_bytes()).unwrap();
        assert_eq!(Multipart::for_headers(&headers, &FormLimits::default()).map(drop), expected, "{field}");
    }
}

#[test]
fn fixture_has_the_expected_parts() {
    let near = NEAR.concat();
    let log = read(&fixture());
    let part = |name: &str, filename: Option<&str>, content: String| {
        (name.to_string(), filename.map(str::to_string), content.into_bytes())
    };
    let expected = [
        part("a", None, near.clone()),
        part("f", Some("x y.bin"), near.repeat(3) + "\r\n"),
        part("empty", None, String::new()),
        part("none", None, String::new()),
        part("gr\u{f6}\u{df}e", Some("\u{65e5}\u{672c}\".txt"), "line\r\n".repeat(60)),
    ];
    assert_eq!(log.parts, expected);
    assert_eq!(log.end, Some(Ok(())));
    assert!((1_700..2_400).contains(&fixture().len()), "{}", fixture().len());
}

#[test]
fn every_cut_gives_the_same_events() {
    let body = fixture();
    let limits = FormLimits::default();
    let whole = read(&body);
    for at in 0..=body.len() {
        let (head, tail) = body.split_at(at);
        assert_eq!(read_with([head, tail], &limits), whole, "cut at {at}");
    }
    for size in 1..100 {
        assert_eq!(read_with(body.chunks(size), &limits), whole, "pieces of {size}");
    }
    let mut random = Random::new(1);
    for _ in 0..3_000 {
        let first = random.below(body.len());
        let second = first + random.below(body.len() - first);
        let pieces = [&body[..first], &body[first..second], &body[second..]];
        assert_eq!(read_with(pieces, &limits), whole, "cuts at {first} and {second}");
    }
}

#[test]
fn events_may_be_polled_after_all_pieces_and_the_end() {
    let body = fixture();
    let (mut multipart, mut log) = (parser(&FormLimits::default()), Log::default());
    body.chunks(7).for_each(|piece| multipart.receive(Bytes::copy_from_slice(piece)));
    multipart.handle_eof();
    multipart.handle_eof();
    multipart.receive(Bytes::from_static(b"after the end"));
    log.take(&mut multipart);
    assert_eq!(log, read(&body));
    assert!(multipart.poll_event().unwrap().is_none());
}

/// Parses a whole buffer, independently of the tested parser except for header fields.
fn oracle(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let body = [b"\r\n", body].concat();
    // Returns the end of the delimiter at `at`, and true if it is the closing one.
    let delimiter = |at: usize| {
        let rest = body[at..].strip_prefix(b"\r\n--b0")?;
        let (rest, close) = rest.strip_prefix(b"--").map_or((rest, false), |rest| (rest, true));
        let rest = &rest[rest.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count()..];
        let lf = if close { rest.strip_prefix(b"\n") } else { None };
        match rest.strip_prefix(b"\r\n").or(lf) {
            Some(rest) => Some((body.len() - rest.len(), close)),
            None => (close && rest.is_empty()).then_some((body.len(), close)),
        }
    };
    if body == b"\r\n" {
        return Some(vec![]);
    }
    let next = |from: usize| (from..body.len()).find_map(|at| Some((at, delimiter(at)?)));
    let mut contents = Vec::new();
    let (_, (mut at, mut close)) = next(0)?;
    while !close {
        let fields = body[at - 2..].windows(4).position(|window| window == b"\r\n\r\n")? + at + 2;
        Part::new(crate::Headers::parse(&body[at..fields]).ok()?).ok()?;
        let (end, after) = next(fields - 2)?;
        contents.push(body.get(fields..end).unwrap_or_default().to_vec());
        (at, close) = after;
    }
    Some(contents)
}

#[test]
fn agrees_with_a_parser_of_the_whole_body() {
    const FIELDS: &str = "Content-Disposition: form-data; name=a\r\n\r\n";
    const PART: &str = "\r\n--b0\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    const TOKENS: [&str; 16] = [
        PART,
        PART,
        FIELDS,
        "\r\n--b0",
        "--b0",
        "--b0--",
        "\r\n--b0--",
        "\r\n",
        "\r",
        "\n",
        "-",
        " ",
        "\t",
        "b0",
        "x",
        "--",
    ];
    let mut random = Random::new(2);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut body = String::from(if random.below(8) > 0 { &PART[random.below(2) * 2..] } else { "" });
        (0..random.below(12)).for_each(|_| body += TOKENS[random.below(TOKENS.len())]);
        body += if random.below(4) > 0 { "\r\n--b0--\r\n" } else { "" };
        let log = read(body.as_bytes());
        let pieces: Vec<_> = body.as_bytes().chunks(1 + random.below(9)).collect();
        assert_eq!(read_with(pieces, &FormLimits::default()), log, "{body:?}");
        let contents = log.end.unwrap().ok().map(|()| log.parts.into_iter().map(|part| part.2).collect::<Vec<_>>());
        accepted += usize::from(contents.as_ref().is_some_and(|contents| contents.len() > 1));
        assert_eq!(contents, oracle(body.as_bytes()), "{body:?}");
    }
    assert!(accepted > 2_000, "{accepted}");
}

#[test]
fn content_is_not_copied_and_held_bytes_are_bounded() {
    let boundary = Boundary::new(&[b'-'; 70]).unwrap();
    let mut multipart = Multipart::new(&boundary, &FormLimits::default());
    let dashes = "-".repeat(72);
    let start = format!("{dashes}\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n");
    multipart.receive(Bytes::from(start));
    assert!(matches!(multipart.poll_event(), Ok(Some(MultipartEvent::PartStart(_)))));
    let (mut random, mut received, mut delivered, mut copied) = (Random::new(3), 0, 0, 0);
    let near = format!("some content\r\n{dashes}x and more\r\n{}\r\n\r", "-".repeat(71));
    for _ in 0..20_000 {
        let from = random.below(near.len());
        let piece = Bytes::copy_from_slice(&near.as_bytes()[from..]);
        received += piece.len();
        multipart.receive(piece.clone());
        while let Some(event) = multipart.poll_event().unwrap() {
            let MultipartEvent::Data(data) = event else { panic!("{event:?}") };
            delivered += data.len();
            if !piece.as_ptr_range().contains(&data.as_ptr()) {
                assert!(data.len() <= boundary.as_bytes().len() + 4);
                copied += data.len();
            }
        }
        assert!(received - delivered <= boundary.as_bytes().len() + 4);
    }
    assert!(copied > 0 && copied < delivered / 10, "{copied} of {delivered}");
}

#[test]
fn closing_boundary_is_required() {
    let limits = FormLimits::default();
    let whole = text("content") + "--b0--";
    for end in [1, 20, 51, 54, 60, whole.len() - 8, whole.len() - 3, whole.len() - 2, whole.len() - 1] {
        assert_eq!(verdict(&whole[..end], &limits), Err(ParseFormError::MissingClose), "{:?}", &whole[..end]);
    }
    let ends = [
        "",
        "\r\n",
        "\n",
        " ",
        "\t \t",
        "  \r\n",
        " \n",
        "\n\r\n",
        "\r\nepilogue",
        "\nx",
        "\n--b0",
        "\r\n\r\n--b0\r\n",
    ];
    for end in ends {
        assert_eq!(verdict(format!("{whole}{end}"), &limits), Ok(1), "{end:?}");
        assert_eq!(verdict(format!("--b0--{end}"), &limits), Ok(0), "no part at all, {end:?}");
    }
    for end in ["\r", "x", "-", " \r", " x", "\rx", "x\n", "\r\r", "\x0b\n"] {
        assert_eq!(verdict(format!("{whole}{end}"), &limits), Err(ParseFormError::MissingClose), "{end:?}");
    }
    let near = read(format!("{whole}x\r\n--b0--\n").as_bytes());
    assert_eq!((&*near.parts[0].2, near.end), (&b"content\r\n--b0--x"[..], Some(Ok(()))), "no delimiter is content");
    assert!(ParseFormError::MissingClose.rule().contains("ended before"), "{}", ParseFormError::MissingClose);
}

#[test]
fn empty_body_is_an_empty_form() {
    assert_eq!(verdict("", &FormLimits::default()), Ok(0));
    assert_eq!(read_with([], &FormLimits::default()), read(b"--b0--"));
    assert_eq!(read_with([&b""[..]], &FormLimits { max_body_size: 0, ..FormLimits::default() }).end, Some(Ok(())));
    for content in ["\r", "\r\n", "-", "--", "--b0", "--b0-", "\r\n--b0\r\n"] {
        assert_eq!(verdict(content, &FormLimits::default()), Err(ParseFormError::MissingClose), "{content:?}");
    }
}

#[test]
fn boundary_padding_is_limited_to_256_bytes() {
    for (length, expected) in [(0, Ok(2)), (1, Ok(2)), (256, Ok(2)), (257, Err(ParseFormError::Padding))] {
        let body = format!("{}--b0{}\r\n{}--b0--", text(""), " \t".repeat(129).split_at(length).0, &text("")[6..]);
        assert_eq!(verdict(body, &FormLimits::default()), expected, "{length}");
        let body = format!("{}--b0--{}\r\n{}", text(""), " ".repeat(length), text(""));
        assert_eq!(verdict(body, &FormLimits::default()), expected.map(|_| 1), "{length}");
    }
    // The first error in the content is returned, even if both are in one piece.
    let limits = FormLimits { text_field: 5, ..FormLimits::default() };
    assert_eq!(verdict(text("012345") + "--b0" + &" ".repeat(257), &limits), Err(ParseFormError::TextTooLarge));
}

#[test]
fn preamble_and_epilogue_are_limited_to_16_kib() {
    for (length, expected) in [(16_384, Ok(1)), (16_385, Err(ParseFormError::PreambleTooLong))] {
        let body = format!("{}\r\n{}--b0--", "p".repeat(length), text(""));
        assert_eq!(verdict(body, &FormLimits::default()), expected, "{length}");
    }
    for (length, expected) in [(16_384, Ok(1)), (16_385, Err(ParseFormError::EpilogueTooLong))] {
        let body = format!("{}--b0--\r\n{}", text(""), "e".repeat(length));
        assert_eq!(verdict(body, &FormLimits::default()), expected, "{length}");
    }
}

#[test]
fn parts_and_files_have_limits() {
    for (count, expected) in [(1_000, Ok(1_000)), (1_001, Err(ParseFormError::TooManyParts))] {
        assert_eq!(verdict(text("").repeat(count) + "--b0--", &FormLimits::default()), expected);
    }
    let limits = FormLimits { files: Some(2), ..FormLimits::default() };
    assert_eq!(verdict([file(""), text(""), file(""), text("")].concat() + "--b0--", &limits), Ok(4));
    assert_eq!(verdict(file("").repeat(3) + "--b0--", &limits), Err(ParseFormError::TooManyFiles));
    let limits = FormLimits { files: Some(0), parts: 1, ..FormLimits::default() };
    assert_eq!(verdict(text("") + "--b0--", &limits), Ok(1));
    assert_eq!(verdict(file("") + "--b0--", &limits), Err(ParseFormError::TooManyFiles));
}

#[test]
fn part_headers_have_limits() {
    // The field section including its empty line has this length.
    let body = |length: usize| {
        let field = "Content-Disposition: form-data; name=a\r\nX: ";
        format!("--b0\r\n{field}{}\r\n\r\ncontent\r\n--b0--", "x".repeat(length - field.len() - 4))
    };
    for (length, expected) in [
        (16 << 10, Ok(1)),
        ((16 << 10) + 1, Err(ParseFormError::PartHeaderTooLong)),
        (17 << 10, Err(ParseFormError::PartHeaderTooLong)),
    ] {
        assert_eq!(verdict(body(length), &FormLimits::default()), expected, "{length}");
    }
    let limits = FormLimits { part_header: 1 << 20, ..FormLimits::default() };
    assert_eq!(
        verdict(body(70_000), &limits),
        Err(ParseFormError::PartHeaderTooLong),
        "the most there can be is 65,535"
    );
    let endless = format!("--b0\r\n{}", "X: y\r\n".repeat(3_000));
    assert_eq!(verdict(endless, &FormLimits::default()), Err(ParseFormError::PartHeaderTooLong));
    for (fields, expected) in [(31, Ok(1)), (32, Err(ParseFormError::TooManyPartFields))] {
        let more = "X: y\r\n".repeat(fields);
        let body = format!("--b0\r\nContent-Disposition: form-data; name=a\r\n{more}\r\n\r\n--b0--");
        assert_eq!(verdict(body, &FormLimits::default()), expected, "{fields}");
    }
}

#[test]
fn text_fields_have_a_limit_and_files_an_optional_one() {
    for (length, expected) in [(1 << 20, Ok(())), ((1 << 20) + 1, Err(ParseFormError::TextTooLarge))] {
        let content = "x".repeat(length);
        let end = |body: String| read_with(body.as_bytes().chunks(1_021), &FormLimits::default()).end;
        assert_eq!(end(text(&content) + "--b0--"), Some(expected));
        assert_eq!(end(file(&content) + "--b0--"), Some(Ok(())));
    }
    let limits = FormLimits { file: Some(10), text_field: 5, ..FormLimits::default() };
    assert_eq!(verdict(file("0123456789") + &text("01234") + "--b0--", &limits), Ok(2));
    assert_eq!(verdict(file("01\r\n--b0x9a") + "--b0--", &limits), Err(ParseFormError::FileTooLarge));
    assert_eq!(verdict(file("0123456789") + &text("01\r\n-b") + "--b0--", &limits), Err(ParseFormError::TextTooLarge));
}

#[test]
fn body_size_is_limited() {
    let body = file("content") + "--b0--\r\n";
    for (room, expected) in [
        (body.len(), Ok(1)),
        (body.len() - 1, Err(ParseFormError::ContentTooLarge)),
        (10, Err(ParseFormError::ContentTooLarge)),
        (0, Err(ParseFormError::ContentTooLarge)),
    ] {
        let limits = FormLimits { max_body_size: room as u64, ..FormLimits::default() };
        assert_eq!(verdict(&body, &limits), expected);
    }
}

#[test]
fn boundaries_of_1_to_70_bytes_are_found() {
    for length in [1, 2, 69, 70] {
        let boundary = "-".repeat(length);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let fields = "Content-Disposition: form-data; name=a\r\n\r\n";
        let body = format!("--{boundary}\r\n{fields}\r\n-{boundary}\r\n\r\n--{boundary}--");
        for size in [1, 2, 3, 1_000] {
            let mut multipart = Multipart::for_content_type(content_type.as_bytes(), &FormLimits::default()).unwrap();
            let mut log = Log::default();
            body.as_bytes().chunks(size).for_each(|piece| multipart.receive(Bytes::copy_from_slice(piece)));
            multipart.handle_eof();
            log.take(&mut multipart);
            assert_eq!(log.end, Some(Ok(())), "{length}");
            assert_eq!(log.parts[0].2, format!("\r\n-{boundary}\r\n").into_bytes());
        }
    }
    let content_type = format!("multipart/form-data; boundary={}", "x".repeat(71));
    let refused = Multipart::for_content_type(content_type.as_bytes(), &FormLimits::default());
    assert_eq!(refused.unwrap_err(), ParseFormError::Boundary);
    for other in [&b"text/plain"[..], b"application/x-www-form-urlencoded", b""] {
        assert_eq!(
            Multipart::for_content_type(other, &FormLimits::default()).unwrap_err(),
            ParseFormError::ContentType
        );
    }
}

#[test]
fn debug_shows_no_content() {
    let mut multipart = parser(&FormLimits::default());
    multipart.receive(Bytes::from(text("secret")));
    assert!(!format!("{multipart:?}").contains("secret"));
    while let Some(event) = multipart.poll_event().unwrap() {
        assert!(!format!("{multipart:?} {event:?}").contains("secret"));
    }
}
