//! The property of `multipart/form-data` (RFC 7578), its Content-Type, and the storage of its
//! parts.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use httpants_core::forms::{
    Action, Boundary, FormLimits, FormType, Multipart, MultipartEvent, ParseFormError, SpillPolicy,
};

use crate::oracle::multipart::{self, Fault};
use crate::shown;
use crate::split::{self, Cut, pieces};

/// Maximum length of a form in bytes; longer ones only take time from other inputs.
const MAX_LENGTH: usize = 20_000;

const BOUNDARIES: [&[u8]; 5] =
    [b"b", b"--", b"----WebKitFormBoundary0123456789abcdef", b"'()+_,-./:=?X", b"*{} ~$\xff"];

/// Checks the parser of forms. The first byte chooses the meaning of the rest: the content of a
/// form, the description of a well-formed form, or a Content-Type; the second byte chooses the
/// cuts.
///
/// For all cuts, content has the same parts as for [`oracle::multipart`](crate::oracle::multipart)
/// and, if it accepts them, for multer; a well-formed form is parsed to its original; the content
/// in memory stays within its limits.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let [choices, seed, rest @ ..] = data else { return };
    let boundary = BOUNDARIES[usize::from(choices >> 4) % BOUNDARIES.len()];
    match choices & 3 {
        0 => content(rest, boundary, *seed, &FormLimits::default()),
        1 => {
            let mut limits = FormLimits::default();
            (limits.max_body_size, limits.parts, limits.files) = (1000, 3, Some(1));
            (limits.part_header, limits.part_fields, limits.text_field) = (100, 2, 20);
            (limits.file, limits.preamble, limits.memory, limits.total_memory) = (Some(40), 10, 15, 30);
            content(rest, boundary, *seed, &limits);
        }
        2 => {
            if let Ok(form) = Form::arbitrary(&mut Unstructured::new(rest)) {
                form.round_trip(boundary, *seed);
            }
        }
        _ if choices & 4 == 4 => content_type(&[b"multipart/form-data; boundary=", rest].concat()),
        _ => content_type(rest),
    }
}

/// The output of a parser: parts with their fields and content.
#[derive(Debug, Default, PartialEq)]
struct Reported {
    parts: Vec<Part>,
    ended: bool,
    fault: Option<ParseFormError>,
}

#[derive(Debug, PartialEq)]
struct Part {
    fields: Vec<(String, Vec<u8>)>,
    name: Vec<u8>,
    filename: Option<String>,
    is_file: bool,
    content: Vec<u8>,
    whole: bool,
}

fn read(content: &[u8], boundary: &[u8], cut: Cut, limits: &FormLimits) -> Reported {
    let boundary = Boundary::new(boundary).unwrap();
    let mut multipart = Multipart::new(&boundary, limits);
    let mut reported = Reported::default();
    let mut kept = Kept::new(limits);
    // The events have the same kinds of `Debug` text for all cuts, so it is checked for one.
    let show: fn(&MultipartEvent) = if matches!(cut, Cut::Whole) { |event| drop(shown::debug(event)) } else { |_| {} };
    for piece in pieces(content, cut) {
        multipart.receive(Bytes::copy_from_slice(piece));
        reported.poll(&mut multipart, &mut kept, show);
    }
    multipart.handle_eof();
    reported.poll(&mut multipart, &mut kept, show);
    assert!(reported.ended != reported.fault.is_some(), "{reported:?}");
    reported
}

impl Reported {
    fn poll(&mut self, multipart: &mut Multipart, kept: &mut Kept, show: fn(&MultipartEvent)) {
        loop {
            match multipart.poll_event() {
                Err(fault) => {
                    assert!(self.fault.is_none_or(|known| known == fault), "{fault:?} after {:?}", self.fault);
                    self.fault = Some(fault);
                    // The amount of content before an error depends on the cuts.
                    shown::display(&fault);
                    assert!([400, 413].contains(&fault.status().as_u16()));
                    return self.parts.retain(|part| part.whole);
                }
                Ok(None) => return,
                Ok(Some(event)) => {
                    show(&event);
                    self.event(event, kept);
                }
            }
        }
    }

    fn event(&mut self, event: MultipartEvent, kept: &mut Kept) {
        assert!(!self.ended, "{event:?} after the end");
        let open = self.parts.last_mut().filter(|part| !part.whole);
        match (event, open) {
            (MultipartEvent::PartStart(part), None) => {
                kept.policy.begin(&part);
                assert_eq!(part.name(), String::from_utf8_lossy(part.name_bytes()));
                assert_eq!(part.is_file(), part.filename_as_sent().is_some());
                assert_eq!(part.content_type(), part.headers().text("content-type"));
                kept.begin(part.is_file());
                self.parts.push(Part {
                    fields: part.headers().iter_raw().map(|(name, value)| (name.into(), value.into())).collect(),
                    name: part.name_bytes().to_vec(),
                    filename: part.filename().map(Into::into),
                    is_file: part.is_file(),
                    content: vec![],
                    whole: false,
                });
            }
            (MultipartEvent::Data(data), Some(part)) => {
                assert!(!data.is_empty());
                kept.data(data.len());
                part.content.extend_from_slice(&data);
            }
            (MultipartEvent::PartEnd, Some(part)) => part.whole = true,
            (MultipartEvent::End, None) => self.ended = true,
            (event, open) => panic!("{event:?} while {open:?}"),
        }
    }
}

/// The memory that parts take when the actions of the policy are carried out.
#[derive(Debug)]
struct Kept {
    limits: FormLimits,
    policy: SpillPolicy,
    before: u64,
    part: u64,
    is_file: bool,
    on_disk: bool,
    dropped: bool,
    refused: bool,
}

impl Kept {
    fn new(limits: &FormLimits) -> Self {
        let policy = SpillPolicy::new(limits);
        Self {
            limits: limits.clone(),
            policy,
            before: 0,
            part: 0,
            is_file: false,
            on_disk: false,
            dropped: false,
            refused: false,
        }
    }

    fn begin(&mut self, is_file: bool) {
        self.before += std::mem::take(&mut self.part);
        (self.is_file, self.on_disk) = (is_file, false);
    }

    fn data(&mut self, length: usize) {
        match self.policy.data(length) {
            Ok(Action::Keep) => {
                assert!(!self.on_disk && !self.dropped && !self.refused);
                self.part += length as u64;
            }
            Ok(Action::Spill) => {
                assert!(self.is_file && !self.on_disk && !self.refused);
                (self.part, self.on_disk) = (0, true);
            }
            Ok(Action::Write) => assert!(self.on_disk && !self.refused),
            Ok(Action::Drop) => {
                assert!(!self.limits.keep_body && !self.on_disk && !self.refused);
                (self.part, self.dropped) = (0, true);
            }
            Err(_) => self.refused = true,
        }
        assert!(self.before + self.part <= self.limits.total_memory, "{self:?}");
        assert!(!self.is_file || self.part <= self.limits.memory, "{self:?}");
    }
}

/// A method of the policy that begins content.
type Begin = fn(&mut SpillPolicy, Option<u64>) -> Result<(), ParseFormError>;

/// Checks the policy with content that is not a form, or an urlencoded one.
fn check_policy(content: &[u8], seed: u8, limits: &FormLimits) {
    let announced = (seed & 1 == 1).then_some(content.len() as u64);
    let ways: [Begin; 3] = [SpillPolicy::begin_raw, SpillPolicy::begin_body, SpillPolicy::begin_urlencoded];
    for (way, begin) in ways.into_iter().enumerate() {
        let raw = way < 2;
        let mut kept = Kept::new(limits);
        kept.begin(raw);
        let begun = begin(&mut kept.policy, announced);
        kept.refused = begun.is_err();
        pieces(content, Cut::Sized(u64::from(seed))).for_each(|piece| kept.data(piece.len()));
        let most = if raw { limits.max_body_size } else { limits.max_body_size.min(limits.total_memory) };
        assert_eq!(kept.refused, content.len() as u64 > most, "{kept:?}");
    }
}

fn content(content: &[u8], boundary: &[u8], seed: u8, limits: &FormLimits) {
    check_policy(content, seed, limits);
    let reported = split::same(content, u64::from(seed), |cut| read(content, boundary, cut, limits));
    let (parts, fault) = multipart::read(content, boundary);
    let contents = parts.iter().map(|part| &part.content);
    assert!(reported.parts.iter().map(|part| &part.content).eq(contents.take(reported.parts.len())), "other contents");
    for (ours, theirs) in reported.parts.iter().zip(&parts) {
        let fields: Vec<u8> =
            ours.fields.iter().flat_map(|(name, value)| [name.as_bytes(), b":", value].concat()).collect();
        let theirs: Vec<u8> = theirs.header.split_inclusive(|&byte| byte == b'\n').flat_map(trimmed).collect();
        assert_eq!(fields.escape_ascii().to_string(), theirs.escape_ascii().to_string());
    }
    match (reported.fault, fault) {
        (None, None) => assert_eq!(reported.parts.len(), parts.len()),
        (None, Some(fault)) => panic!("not seen: {fault:?}"),
        (Some(ParseFormError::MissingClose), Some(Fault::MissingClose)) => {}
        (Some(ParseFormError::Padding), Some(Fault::Padding)) => {}
        (Some(fault @ (ParseFormError::MissingClose | ParseFormError::Padding)), theirs) => {
            panic!("{fault:?}, {theirs:?}")
        }
        // The oracle checks neither part headers nor limits.
        (Some(_), _) => {}
    }
    if reported.fault.is_none() {
        same_as_multer(&reported, content, boundary);
    }
}

/// Returns a field line without the white space that is not part of its value.
fn trimmed(line: &[u8]) -> Vec<u8> {
    let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len() - 1);
    let value = line[colon + 1..].strip_suffix(b"\r\n").unwrap_or_default();
    [&line[..=colon], crate::oracle::trim(value)].concat()
}

/// Checks that multer reads the same parts, if it accepts the content.
///
/// Nothing is compared if `--boundary` occurs in the preamble without a line break before it, or in
/// content without a line end after it: multer treats these as delimiters, by design.
fn same_as_multer(reported: &Reported, content: &[u8], boundary: &[u8]) {
    let dashed = [b"--", boundary].concat();
    let seen = content.windows(dashed.len()).filter(|window| *window == dashed).count();
    if seen != reported.parts.len() + 1 {
        return;
    }
    let Ok(text) = std::str::from_utf8(boundary) else { return };
    let pieces = stream::iter([Ok::<_, std::io::Error>(Bytes::copy_from_slice(content))]).fuse();
    let mut theirs = multer::Multipart::new(pieces, text);
    let mut parts = reported.parts.iter();
    // All input is available, so nothing has to be awaited.
    while let Some(Ok(Some(field))) = theirs.next_field().now_or_never() {
        let part = parts.next().expect("multer reads no more parts");
        if let (Some(name), true) = (field.name(), is_named_once(part)) {
            assert_eq!(name.as_bytes(), part.name, "{part:?}");
        }
        match field.bytes().now_or_never() {
            Some(Ok(bytes)) => assert!(bytes == part.content, "other content for multer: {part:?}"),
            _ => return,
        }
    }
}

/// Returns true if multer can find only this name: that crate searches for the letters `name` after
/// a blank or a semicolon, even within quoted strings, and treats a tab and escapes as part of the
/// text that follows. It ends a value at the first quote, and does not decode encoded words.
fn is_named_once(part: &Part) -> bool {
    let mut values = part.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
    let (Some((_, value)), None) = (values.next(), values.next()) else { return false };
    let text = String::from_utf8_lossy(value);
    let lower = text.to_ascii_lowercase();
    let mut names = lower.match_indices("name").filter(|&(at, _)| text[..at].ends_with([' ', '\t', ';']));
    let (Some((at, _)), None) = (names.next(), names.next()) else { return false };
    let is_plain = !text.contains(['%', '\\']) && !text.contains("=?");
    text[at..].starts_with("name=\"") && is_plain && text.is_ascii() && !part.name.contains(&b'"')
}

/// Checks that the boundary is the same, if both accept the Content-Type.
fn content_type(value: &[u8]) {
    let limits = FormLimits::default();
    let ours = match FormType::of(value) {
        Ok(Some(FormType::Multipart(ours))) => ours,
        other => {
            let fault = Multipart::for_content_type(value, &limits).map(|_| ()).unwrap_err();
            return assert!(other.is_ok() && fault == ParseFormError::ContentType || other == Err(fault));
        }
    };
    shown::debug(&ours);
    shown::debug(&Multipart::for_content_type(value, &limits).unwrap());
    let bytes = ours.as_bytes();
    assert!((1..=70).contains(&bytes.len()) && bytes.last() != Some(&b' '));
    assert!(!bytes.iter().any(|byte| byte.is_ascii_control() || b"\"\\".contains(byte)));
    if let Ok(text) = std::str::from_utf8(value)
        && let Ok(theirs) = multer::parse_boundary(text)
    {
        assert_eq!(theirs.as_bytes(), bytes, "{text:?}");
    }
}

/// A well-formed form.
#[derive(Debug, Arbitrary)]
struct Form {
    preamble: Option<Vec<u8>>,
    fields: Vec<Field>,
    padding: u8,
    epilogue: Option<Vec<u8>>,
}

#[derive(Debug, Arbitrary)]
struct Field {
    name: String,
    filename: Option<String>,
    content_type: bool,
    content: Vec<Piece>,
}

/// A piece of content, often one that resembles a delimiter.
#[derive(Debug, Arbitrary)]
enum Piece {
    Bytes(Vec<u8>),
    LineBreak,
    CarriageReturn,
    Hyphens,
    Boundary,
    PartOfBoundary(u8),
    Long(u16),
}

impl Piece {
    fn write(&self, boundary: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::LineBreak => out.extend_from_slice(b"\r\n"),
            Self::CarriageReturn => out.push(b'\r'),
            Self::Hyphens => out.extend_from_slice(b"--"),
            Self::Boundary => out.extend_from_slice(boundary),
            Self::PartOfBoundary(length) => {
                out.extend_from_slice(&boundary[..usize::from(*length) % boundary.len()]);
            }
            Self::Long(length) => out.resize(out.len() + usize::from(*length % 5000), b'l'),
        }
    }
}

/// Escapes a name like browsers. Percent signs are removed, because their meaning depends on the
/// characters after them; so are NUL, which is refused, and a leading `=?`, which may begin an
/// encoded word.
fn escape(name: &str) -> (String, String) {
    let name = name.replace(['%', '\0'], "").trim_start_matches("=?").to_owned();
    let escaped = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    (name, escaped)
}

impl Form {
    fn round_trip(&self, boundary: &[u8], seed: u8) {
        let mut sent = Vec::new();
        if let Some(preamble) = &self.preamble {
            sent.extend([&preamble[..], b"\r\n"].concat());
        }
        let line_end = [&b" ".repeat(usize::from(self.padding) % 4)[..], b"\r\n"].concat();
        let (mut expected_names, mut expected) = (Vec::new(), Vec::new());
        for field in &self.fields {
            let (name, escaped) = escape(&field.name);
            let mut content = Vec::new();
            field.content.iter().for_each(|piece| piece.write(boundary, &mut content));
            let mut header = format!("Content-Disposition: form-data; name=\"{escaped}\"");
            let filename = field.filename.as_deref().map(escape);
            if let Some((_, escaped)) = &filename {
                header += &format!("; filename=\"{escaped}\"");
            }
            header += "\r\n";
            if field.content_type {
                header += "Content-Type: text/plain\r\n";
            }
            sent.extend([b"--", boundary, &line_end, header.as_bytes(), b"\r\n", &content, b"\r\n"].concat());
            expected_names.push((name, filename.map(|(name, _)| name)));
            expected.push(multipart::Part { header: header.into_bytes(), content });
        }
        sent.extend([b"--", boundary, b"--", &line_end].concat());
        sent.extend(self.epilogue.iter().flatten());
        if sent.len() > MAX_LENGTH {
            return;
        }
        let limits = FormLimits::default();
        content(&sent, boundary, seed, &limits);
        // A preamble or content that contains a delimiter results in another form.
        if multipart::read(&sent, boundary) != (expected, None) {
            return;
        }
        let reported = read(&sent, boundary, Cut::Whole, &limits);
        if reported.fault.is_some_and(|fault| fault.status() == 413) {
            return;
        }
        assert_eq!(reported.fault, None, "{self:?}");
        for (part, (name, filename)) in reported.parts.iter().zip(&expected_names) {
            assert_eq!((part.name.as_slice(), part.is_file), (name.as_bytes(), filename.is_some()), "{part:?}");
            let last = filename.as_deref().and_then(|name| name.rsplit(['/', '\\']).next());
            assert_eq!(part.filename.as_deref(), last.filter(|name| !matches!(*name, "" | "." | "..")));
        }
    }
}
