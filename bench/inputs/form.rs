//! A form with three text fields and a file of 64 KiB, the same for httpants and for the other
//! servers.

/// Maximum size of one read of a socket.
pub const PIECE: usize = 64 << 10;
pub const CONTENT_TYPE: &str = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW9";
const FILE: usize = 64 << 10;

/// Returns the form as Chromium sends it.
pub fn content() -> Vec<u8> {
    let delimiter = "------WebKitFormBoundary7MA4YWxkTrZu0gW9";
    let texts = [("title", "Holiday in Crete"), ("album", "2026"), ("description", "The old harbour, at sunset.")];
    let mut content = Vec::new();
    for (name, value) in texts {
        let part = format!("{delimiter}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        content.extend_from_slice(part.as_bytes());
    }
    let disposition = "Content-Disposition: form-data; name=\"file\"; filename=\"crete.jpg\"";
    let head = format!("{delimiter}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n");
    content.extend_from_slice(head.as_bytes());
    content.extend(noise().take(FILE));
    content.extend_from_slice(format!("\r\n{delimiter}--\r\n").as_bytes());
    content
}

/// Returns bytes without a pattern, as in compressed media.
fn noise() -> impl Iterator<Item = u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten()
}
