//! The property of conditional and range requests for files (RFC 9110 sections 13 and 14).

use std::io::ErrorKind;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use http::{HeaderName, HeaderValue, Method};
use httpants_core::files::{
    Coding, Disposition, EtagRecipe, Field, FileError, FileRequest, FileResponse, MediaTypes, Metadata, Plan, Segment,
    XSendfile, accepts_html, attachment, content_type,
};
use httpants_core::{FieldLines, Headers, UnixTime};

use crate::shown;

const WALL: UnixTime = UnixTime::from_secs(1_795_352_400);

/// Checks the plan of a response. The data describes a file, a response and a request for it, or
/// ends with the header fields of the request.
///
/// The status is that of the steps of RFC 9110 section 13.2.2, and the bytes are those of the
/// requested ranges, each once. For all fields, the segments are within the file and have the
/// announced total length, and the fields of the response are valid field lines.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(case) = Case::arbitrary(&mut u) else { return };
    case.check_against_rfc();
    case.check_arbitrary_fields(u.take_rest());
    case.check_names();
}

#[derive(Debug, Arbitrary)]
struct Case {
    head: bool,
    other_method: bool,
    len: u8,
    modified: Option<(u32, u16)>,
    inode: u8,
    coding: u8,
    own: u8,
    if_match: Tags,
    if_none_match: Tags,
    if_unmodified: Date,
    if_modified: Date,
    if_range: IfRange,
    range: Option<Vec<Spec>>,
    name: String,
    filename: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
enum Tags {
    Absent,
    Any,
    Current,
    Weak,
    Other,
    OtherAndCurrent,
}

#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
enum Date {
    Absent,
    Before,
    Exact,
    After,
    Nonsense,
}

#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
enum IfRange {
    Absent,
    Tag,
    WeakTag,
    OtherTag,
    Date,
    OtherDate,
}

#[derive(Clone, Copy, Debug)]
enum Spec {
    FromTo(u16, u16),
    From(u16),
    Last(u16),
}

impl<'a> Arbitrary<'a> for Spec {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (one, other) = (u16::from(u.arbitrary::<u8>()?), u16::from(u.arbitrary::<u8>()?));
        Ok(match u.int_in_range(0..=3u8)? {
            0 => Self::From(one),
            1 => Self::Last(one),
            _ => Self::FromTo(one.min(other), one.max(other)),
        })
    }
}

impl Spec {
    /// Returns true if the range contains this position in a file of this length.
    fn contains(self, at: u16, len: u16) -> bool {
        match self {
            Self::FromTo(first, last) => first <= at && at <= last,
            Self::From(first) => first <= at,
            Self::Last(count) => at >= len.saturating_sub(count),
        }
    }

    fn text(self) -> String {
        match self {
            Self::FromTo(first, last) => format!("{first}-{last}"),
            Self::From(first) => format!("{first}-"),
            Self::Last(count) => format!("-{count}"),
        }
    }
}

impl Case {
    fn method(&self) -> Method {
        match (self.head, self.other_method) {
            (_, true) => Method::DELETE,
            (true, false) => Method::HEAD,
            (false, false) => Method::GET,
        }
    }

    fn metadata(&self) -> Metadata {
        // Never in the future, where Last-Modified would be the date of the response.
        let modified = self
            .modified
            .map(|(seconds, nanos)| UnixTime(Duration::new(u64::from(seconds % 1_700_000_000) + 1000, nanos.into())));
        Metadata::new(u64::from(self.len), modified, u64::from(self.inode))
    }

    fn app_fields(&self) -> Vec<Field> {
        let field =
            |name: &'static str, value: &'static str| (HeaderName::from_static(name), HeaderValue::from_static(value));
        match self.own % 8 {
            1 => vec![field("etag", "W/\"own\"")],
            2 => vec![field("accept-ranges", "none")],
            3 => vec![field("cache-control", "no-store"), field("content-length", "7")],
            4 => vec![field("content-type", "a/b"), field("content-encoding", "x")],
            _ => vec![],
        }
    }

    fn plan(&self, headers: &Headers) -> Plan {
        let own = self.app_fields();
        let mut response = FileResponse::new("a.txt");
        response.headers = &own;
        response.filename = self.filename.as_deref();
        response.guess_mime = self.own & 128 == 0;
        response.coding = [None, Some(Coding::Identity), Some(Coding::Gzip), Some(Coding::Brotli), Some(Coding::Zstd)]
            [usize::from(self.coding % 5)];
        response.disposition = [Disposition::Attachment, Disposition::Inline][usize::from(self.coding >> 7)];
        response.etag =
            [EtagRecipe::WithInode, EtagRecipe::WithoutInode, EtagRecipe::Off][usize::from((self.own >> 3) % 3)];
        let method = self.method();
        let request = FileRequest { method: &method, headers };
        shown::debug(&response);
        assert_eq!(request.asks_for_several_ranges(), headers.all("range").any(|value| value.contains(&b',')));
        let plan = Plan::new(request, &response, self.metadata(), WALL, [7; 16]);
        self.check_invariants(&plan);
        plan
    }

    /// Checks the invariants of every plan.
    fn check_invariants(&self, plan: &Plan) {
        shown::debug(plan);
        let sum: u64 = plan.segments.iter().map(Segment::len).sum();
        if self.head && !self.other_method {
            assert!(plan.segments.is_empty());
        } else if let Some(length) = plan.content_length {
            assert_eq!(sum, length, "{plan:?}");
        }
        assert_eq!(plan.content_length.is_none(), plan.status == 304);
        for segment in &plan.segments {
            assert!(segment.len() > 0, "{plan:?}");
            if let Segment::File { offset, len } = segment {
                assert!(offset.checked_add(*len).is_some_and(|end| end <= u64::from(self.len)), "{plan:?}");
            }
        }
        let mut lines = FieldLines::new();
        plan.append_fields(&mut lines).unwrap();
        assert!(!lines.contains("Content-Length"), "the core's own");
        for name in ["Last-Modified", "Expires"] {
            if let Some(value) = lines.get(name) {
                assert!(httpdate::parse_http_date(std::str::from_utf8(value).unwrap()).is_ok());
            }
        }
        for name in ["Content-Type", "ETag", "Content-Range", "Last-Modified", "Content-Encoding"] {
            assert!(lines.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count() <= 1, "{name} twice");
        }
    }

    /// Checks a plan for arbitrary header fields.
    fn check_arbitrary_fields(&self, section: &[u8]) {
        let Ok(headers) = Headers::parse(&[section, b"\r\n"].concat()) else { return };
        let plan = self.plan(&headers);
        assert!([200, 206, 304, 405, 412, 416].contains(&plan.status.as_u16()));
        let _ = accepts_html(&headers);
        let available = |coding: Coding| coding == Coding::Gzip;
        let coding = Coding::choose(&headers, available);
        assert!(coding == Coding::Identity || available(coding));
        assert_eq!(coding.suffix().is_empty(), coding == Coding::Identity);
    }

    fn check_against_rfc(&self) {
        let none = Headers::parse(b"\r\n").unwrap();
        let plain = self.plan(&none);
        if self.other_method {
            assert_eq!((plain.status.as_u16(), plain.field("allow").unwrap().as_bytes()), (405, &b"GET, HEAD"[..]));
            return;
        }
        assert_eq!(plain.status, 200);
        let tag = plain.field("etag").map(|value| value.to_str().unwrap().to_owned());
        let date = self.metadata().modified.map(UnixTime::as_secs);
        let headers = Headers::parse(self.section(tag.as_deref(), date).as_bytes()).unwrap();
        let plan = self.plan(&headers);
        let expected = self.status(&plain, tag.as_deref(), date);
        assert_eq!(plan.status, expected, "{self:?}: {headers:?}");
        match expected {
            200 => assert_eq!(plan, plain),
            206 => self.check_ranges(&plan),
            416 => assert_eq!(plan.field("content-range").unwrap(), &format!("bytes */{}", self.len)),
            304 => assert_eq!(plan.field("etag"), plain.field("etag")),
            _ => {}
        }
    }

    /// Returns the status by the steps of RFC 9110 section 13.2.2.
    fn status(&self, plain: &Plan, tag: Option<&str>, date: Option<u64>) -> u16 {
        let strong = tag.is_some_and(|tag| !tag.starts_with("W/"));
        let matches = |tags: Tags, strongly: bool| match tags {
            Tags::Absent | Tags::Other => false,
            Tags::Any => true,
            Tags::Weak => tag.is_some() && !strongly,
            Tags::Current | Tags::OtherAndCurrent => tag.is_some() && (strong || !strongly),
        };
        let known = |given: Date| date.is_some() && !matches!(given, Date::Absent | Date::Nonsense);
        if self.if_match != Tags::Absent {
            if !matches(self.if_match, true) {
                return 412;
            }
        } else if known(self.if_unmodified) && self.if_unmodified == Date::Before {
            return 412;
        }
        if self.if_none_match != Tags::Absent {
            if matches(self.if_none_match, false) {
                return 304;
            }
        } else if known(self.if_modified) && self.if_modified != Date::Before {
            return 304;
        }
        let Some(specs) = self.specs() else { return 200 };
        let unchanged = match self.if_range {
            IfRange::Absent => true,
            IfRange::Tag => strong,
            IfRange::Date => date.is_some(),
            IfRange::WeakTag | IfRange::OtherTag | IfRange::OtherDate => false,
        };
        let none = plain.field("accept-ranges").is_some_and(|value| value == "none");
        if self.head || !unchanged || none {
            return 200;
        }
        let len = u16::from(self.len);
        if len == 0 {
            return 200;
        }
        let wanted = |at| specs.iter().any(|spec| spec.contains(at, len));
        if !(0..len).any(wanted) {
            return 416;
        }
        let pieces = self.pieces(specs);
        // Content-Encoding would apply to the multipart content.
        if pieces > 1 && plain.field("content-encoding").is_some() { 200 } else { 206 }
    }

    /// Returns the ranges that are honoured: 1 to 16.
    fn specs(&self) -> Option<&[Spec]> {
        self.range.as_deref().filter(|specs| (1..=16).contains(&specs.len()))
    }

    /// Returns the number of ranges after merging those that overlap.
    fn pieces(&self, specs: &[Spec]) -> usize {
        let len = u16::from(self.len);
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for spec in specs {
            let of: Vec<u16> = (0..len).filter(|&at| spec.contains(at, len)).collect();
            let (Some(&first), Some(&last)) = (of.first(), of.last()) else { continue };
            let mut new = (first, last);
            merged.retain(|old| {
                let overlap = old.0 <= last && first <= old.1;
                if overlap {
                    new = (new.0.min(old.0), new.1.max(old.1));
                }
                !overlap
            });
            merged.push(new);
        }
        merged.len()
    }

    fn check_ranges(&self, plan: &Plan) {
        let (specs, len) = (self.specs().unwrap(), u16::from(self.len));
        let mut sent = Vec::new();
        for segment in &plan.segments {
            if let Segment::File { offset, len } = segment {
                sent.extend((*offset..offset + len).map(|at| at as u16));
            }
        }
        sent.sort_unstable();
        let wanted: Vec<u16> = (0..len).filter(|&at| specs.iter().any(|spec| spec.contains(at, len))).collect();
        assert_eq!(sent, wanted, "{self:?}");
        let text: Vec<u8> = plan
            .segments
            .iter()
            .flat_map(|segment| match segment {
                Segment::Bytes(bytes) => bytes.to_vec(),
                Segment::File { len, .. } => vec![b'x'; *len as usize],
            })
            .collect();
        let content_type = plan.field("content-type").map(|value| value.to_str().unwrap()).unwrap_or_default();
        if let Some(boundary) = content_type.strip_prefix("multipart/byteranges; boundary=") {
            let (parts, fault) = crate::oracle::multipart::read(&text, boundary.as_bytes());
            assert_eq!((parts.len(), fault), (self.pieces(specs), None));
            assert_eq!(parts.iter().map(|part| part.content.len()).sum::<usize>(), wanted.len());
            assert!(plan.field("content-range").is_none());
        } else {
            let (first, last) = (wanted[0], wanted[wanted.len() - 1]);
            assert_eq!(plan.field("content-range").unwrap(), &format!("bytes {first}-{last}/{len}"));
        }
    }

    fn section(&self, tag: Option<&str>, date: Option<u64>) -> String {
        let current = tag.unwrap_or("\"none\"");
        let tags = |tags| match tags {
            Tags::Absent => None,
            Tags::Any => Some("*".to_owned()),
            Tags::Current => Some(current.to_owned()),
            Tags::Weak if current.starts_with("W/") => Some(current.to_owned()),
            Tags::Weak => Some(format!("W/{current}")),
            Tags::Other => Some("\"x\", W/\"y\"".to_owned()),
            Tags::OtherAndCurrent => Some(format!("\"x\" ,{current}")),
        };
        let at = |seconds: i64| {
            let seconds = date.unwrap_or(1_000_000_000).saturating_add_signed(seconds);
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
        };
        let dates = |date| match date {
            Date::Absent => None,
            Date::Before => Some(at(-1)),
            Date::Exact => Some(at(0)),
            Date::After => Some(at(1)),
            Date::Nonsense => Some("yesterday".to_owned()),
        };
        let if_range = match self.if_range {
            IfRange::Absent => None,
            IfRange::Tag => Some(current.to_owned()),
            IfRange::WeakTag => Some(format!("W/{}", current.trim_start_matches("W/"))),
            IfRange::OtherTag => Some("\"x\"".to_owned()),
            IfRange::Date => Some(at(0)),
            IfRange::OtherDate => Some(at(1)),
        };
        let range = self
            .range
            .as_ref()
            .map(|specs| format!("bytes={}", specs.iter().map(|spec| spec.text()).collect::<Vec<_>>().join(", ")));
        let fields = [
            ("Range", range),
            ("If-Match", tags(self.if_match)),
            ("If-None-Match", tags(self.if_none_match)),
            ("If-Unmodified-Since", dates(self.if_unmodified)),
            ("If-Modified-Since", dates(self.if_modified)),
            ("If-Range", if_range),
        ];
        let lines = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}\r\n", value?)));
        lines.collect::<String>() + "\r\n"
    }

    /// Checks names of files in fields.
    fn check_names(&self) {
        check_disposition(&self.name);
        check_location(&self.name);
        assert!(!content_type(&self.name).is_empty());
        if let Ok(types) = MediaTypes::default().with(&self.name, "a/b") {
            assert_eq!(types.of("x.unknown").as_bytes(), b"application/octet-stream");
            let _ = types.of(self.filename.as_deref().unwrap_or_default());
        }
        let policy = XSendfile::new("X-Accel-Redirect", "/srv").unwrap().prefix("/p").unwrap();
        if let Some((_, value)) = policy.field(std::path::Path::new(&self.name)) {
            let value = value.to_str().unwrap();
            assert!(value.starts_with("/p/") && !value.split('/').any(|name| name == ".."), "{value}");
        }
        let method = self.method();
        let none = Headers::parse(b"\r\n").unwrap();
        let request = FileRequest { method: &method, headers: &none };
        let plan =
            Plan::sendfile(request, &FileResponse::new("a.txt"), &policy, std::path::Path::new(&self.name), WALL);
        self.check_invariants(&plan);
        for kind in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::Other] {
            shown::display(&FileError::from(kind));
        }
        for fault in [FileError::NotFound, FileError::Forbidden, FileError::Failed] {
            let plan = Plan::error(&method, fault);
            assert_eq!((plan.status, plan.segments.is_empty()), (fault.status(), method == Method::HEAD));
        }
    }
}

/// Checks that a redirect to any path with a slash stays on the same server.
fn check_location(path: &str) {
    let path: String = path.chars().filter(char::is_ascii_graphic).collect();
    let plan = Plan::add_slash(&Method::GET, &path, "a=b");
    let location = plan.field("location").unwrap().to_str().unwrap();
    let own = location.strip_prefix('/').and_then(|rest| rest.strip_suffix("?a=b")).unwrap();
    assert!(!own.starts_with(['/', '\\']) && (own.is_empty() || own.ends_with('/')), "{location}");
    assert_eq!(own.trim_end_matches('/'), path.trim_start_matches(['/', '\\']).trim_end_matches('/'));
}

/// Checks that the last segment of the name is read back completely, from `filename*` if there is
/// one.
fn check_disposition(name: &str) {
    let value = attachment(name);
    let text = value.to_str().expect("ASCII only");
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let last: String = last.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    let Some(quoted) = text.strip_prefix("attachment; filename=\"") else {
        return assert!(text == "attachment" && ["", ".", ".."].contains(&&*last), "{text} of {last:?}");
    };
    let mut plain = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next().expect("a quote at the end") {
            '"' => break,
            '\\' => plain.extend(rest.next()),
            c => plain.push(c),
        }
    }
    let is_like = |(shown, given): (char, char)| shown == given || shown == '_';
    assert!(plain.chars().count() == last.chars().count() && plain.chars().zip(last.chars()).all(is_like), "{text}");
    match rest.as_str().strip_prefix("; filename*=UTF-8''") {
        Some(encoded) => {
            assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().as_deref(), Ok(&*last));
        }
        None => assert_eq!((plain, rest.as_str()), (last, "")),
    }
}
