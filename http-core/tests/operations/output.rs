//! What the answers look like to the client.

use super::{Answer, World};

/// One answer off the front of the output: its status and content, whether it is whole, and
/// what follows.
fn parse<'a>(out: &'a [u8], answer: &Answer, broken: bool) -> Option<(u16, Vec<u8>, bool, &'a [u8])> {
    let mut room = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut room);
    let httparse::Status::Complete(length) = head.parse(out).expect("an answer parses") else { return None };
    let (status, mut rest) = (head.code.unwrap(), &out[length..]);
    let field = |name: &str| head.headers.iter().find(|field| field.name == name).map(|field| field.value);
    if status == 100 {
        return parse(rest, answer, broken);
    }
    if status == answer.status && !answer.has_content {
        return Some((status, vec![], true, rest));
    }
    if let Some(length) = field("Content-Length") {
        let length: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
        let content = &rest[..length.min(rest.len())];
        return Some((status, content.to_vec(), content.len() == length, &rest[content.len()..]));
    }
    if field("Transfer-Encoding").is_none() {
        assert_eq!(field("Connection"), Some(&b"close"[..]));
        return Some((status, rest.to_vec(), !broken, &[]));
    }
    let mut content = vec![];
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(rest) else {
            return Some((status, content, false, &[]));
        };
        let size = size as usize;
        if size == 0 {
            let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            return Some((status, content, end.is_some(), end.map_or(&[], |end| &rest[end + 4..])));
        }
        content.extend_from_slice(&rest[line..rest.len().min(line + size)]);
        let Some(next) = rest.get(line + size + 2..) else { return Some((status, content, false, &[])) };
        rest = next;
    }
}

/// The output is the answers in their order, whole but for the last one.
pub(crate) fn check(world: &World, reset: bool) {
    let mut rest = &world.out[..];
    let broken = world.cut_off || reset;
    for (at, answer) in world.answers.iter().enumerate() {
        let Some((status, content, whole, next)) = parse(rest, answer, broken) else {
            assert!(broken || !answer.finished, "answer {at} is missing: {answer:?}, {world:?}");
            return;
        };
        if answer.status == 0 || (!answer.finished && status != answer.status) {
            // Not answered by the application: a refusal, or the time was over.
            assert!(status >= 400 && next.is_empty(), "{status}");
            return;
        }
        assert_eq!(status, answer.status);
        if whole && answer.finished {
            assert!(
                content == answer.content || !answer.has_content,
                "answer {at} is another one: {answer:?}, {world:?} {}",
                world.out.escape_ascii()
            );
        } else {
            assert!(answer.content.starts_with(&content), "answer {at} is another one");
            assert!(broken || !answer.finished, "answer {at} is cut off: {answer:?}, {world:?}");
            assert!(next.is_empty());
        }
        rest = next;
    }
    if !rest.is_empty() {
        let refusal = Answer { has_content: !rest.ends_with(b"\r\n\r\n"), status: 400, ..Answer::default() };
        let status = parse(rest, &refusal, broken).map_or(400, |(status, ..)| status);
        assert!(status >= 400, "one answer too many: {}", rest.escape_ascii());
    }
}
