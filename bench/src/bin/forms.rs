//! `forms [ROUNDS]`: bytes per second of the form parsers, compared with other crates and with a
//! plain search for the delimiter. All run in each round, so that other load affects them equally.

use std::hint::black_box;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use futures::executor::block_on;
use futures::stream::{self, Stream, StreamExt};
use httpants_core::forms::urlencoded::{self, Options};
use httpants_core::forms::{Boundary, FormLimits, Multipart, MultipartEvent};
use memchr::memmem;

const MIB: usize = 1 << 20;
const FILE: usize = 64 * MIB;
/// Maximum size of one read of a socket.
const PIECE: usize = 64 << 10;
const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW9";
const DELIMITER: &str = "\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW9";
/// Number of variables, below the default limit of 1,000.
const VARIABLES: usize = 900;

/// One way to parse the content; all must return the same result.
struct Contender<'a> {
    name: &'static str,
    run: Box<dyn Fn() -> usize + 'a>,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, run: impl Fn() -> usize + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// Returns the rate in GB/s of parsing the content `repeats` times.
    fn rate(&self, bytes: usize, repeats: usize, expected: usize) -> f64 {
        let start = Instant::now();
        for _ in 0..repeats {
            assert_eq!(black_box((self.run)()), expected, "{}", self.name);
        }
        (bytes * repeats) as f64 / start.elapsed().as_secs_f64() / 1e9
    }
}

/// Prints the median rate of each, and the median over the rounds of the ratio of the first rate to
/// it.
fn compare(title: &str, bytes: usize, repeats: usize, rounds: usize, contenders: &[Contender]) {
    let expected = (contenders[0].run)();
    contenders.iter().for_each(|contender| _ = contender.rate(bytes, 1, expected));
    let rates: Vec<Vec<f64>> = (0..rounds)
        .map(|_| contenders.iter().map(|contender| contender.rate(bytes, repeats, expected)).collect())
        .collect();
    println!("{title}");
    for (index, contender) in contenders.iter().enumerate() {
        let rate = median(rates.iter().map(|round| round[index]));
        let ratio = median(rates.iter().map(|round| round[0] / round[index]));
        println!("  {:<28}{rate:7.2} GB/s   httpants is {ratio:6.2} times as fast", contender.name);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the pieces of a form with one file of this content.
fn form(file: &[u8]) -> Vec<Bytes> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"film.mp4\"\r\n\
         Content-Type: video/mp4\r\n\r\n"
    );
    let whole = Bytes::from([head.as_bytes(), file, DELIMITER.as_bytes(), b"--\r\n"].concat());
    (0..whole.len()).step_by(PIECE).map(|at| whole.slice(at..whole.len().min(at + PIECE))).collect()
}

/// Returns bytes without a pattern, as in compressed media.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(size / 8).flatten().collect()
}

/// Returns lines of a table, each with the first bytes of a delimiter.
fn lines(size: usize) -> Vec<u8> {
    b"2027-01-15,reading,21.5,ok\r\n--2027-01-16,reading,-3.25,late\r\n".iter().copied().cycle().take(size).collect()
}

fn httpants_multipart(pieces: &[Bytes]) -> usize {
    let mut limits = FormLimits::default();
    limits.max_body_size = 2 * FILE as u64;
    let boundary = Boundary::new(BOUNDARY.as_bytes()).expect("a good boundary");
    let mut multipart = Multipart::new(&boundary, &limits);
    let mut content = 0;
    let mut take = |multipart: &mut Multipart| {
        while let Some(event) = multipart.poll_event().expect("a good form") {
            match event {
                MultipartEvent::Data(piece) => content += black_box(piece).len(),
                MultipartEvent::End => return true,
                other => _ = black_box(other),
            }
        }
        false
    };
    for piece in pieces {
        multipart.receive(piece.clone());
        take(&mut multipart);
    }
    multipart.handle_eof();
    assert!(take(&mut multipart));
    content
}

async fn multer_multipart(pieces: impl Stream<Item = Result<Bytes, multer::Error>> + Send) -> usize {
    let mut multipart = multer::Multipart::new(pieces, BOUNDARY);
    let mut content = 0;
    while let Some(mut field) = multipart.next_field().await.expect("a good form") {
        while let Some(piece) = field.chunk().await.expect("a good form") {
            content += black_box(piece).len();
        }
    }
    content
}

/// Yields all pieces without being pending: multer collects them all before it returns any.
fn ready(pieces: &[Bytes]) -> impl Stream<Item = Result<Bytes, multer::Error>> + Send {
    stream::iter(pieces).map(|piece| Ok(piece.clone()))
}

/// Yields the pieces, pending once after each, like a socket that is read faster than the peer
/// sends.
fn paused(pieces: &[Bytes]) -> impl Stream<Item = Result<Bytes, multer::Error>> + Send {
    let mut pieces = pieces.iter();
    let mut pause = false;
    stream::poll_fn(move |context| {
        pause = !pause;
        if pause {
            return Poll::Ready(pieces.next().map(|piece| Ok(piece.clone())));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Parses nothing: the cost of the stream itself.
async fn drain(pieces: impl Stream<Item = Result<Bytes, multer::Error>>) -> usize {
    let mut pieces = std::pin::pin!(pieces);
    let mut content = 0;
    while let Some(piece) = pieces.next().await {
        content += black_box(piece.expect("a piece")).len();
    }
    content
}

/// Parses nothing: the minimum cost of finding the end of the file. Returns the length of the file,
/// like the parsers.
fn search(finder: &memmem::Finder, pieces: &[Bytes], head: usize) -> usize {
    let mut before = 0;
    for piece in pieces {
        if let Some(at) = finder.find(black_box(piece)) {
            return before + at - head;
        }
        before += piece.len();
    }
    panic!("no delimiter")
}

fn multipart(title: &str, file: &[u8], rounds: usize) {
    let pieces = form(file);
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    let head = bytes - file.len() - DELIMITER.len() - "--\r\n".len();
    let finder = memmem::Finder::new(DELIMITER);
    let contenders = [
        Contender::new("httpants", || httpants_multipart(&pieces)),
        Contender::new("multer", || block_on(multer_multipart(paused(&pieces)))),
        Contender::new("multer, stream always ready", || block_on(multer_multipart(ready(&pieces)))),
        Contender::new("the stream with pauses alone", || block_on(drain(paused(&pieces))) - (bytes - file.len())),
        Contender::new("memmem", || search(&finder, &pieces, head)),
    ];
    compare(title, bytes, 1, rounds, &contenders);
}

/// Returns about 1 MiB of variables with this text as each value.
fn variables(text: &str) -> String {
    let mut serializer = form_urlencoded::Serializer::new(String::new());
    let room = MIB / VARIABLES - "comment.100=&".len();
    let length = form_urlencoded::byte_serialize(text.as_bytes()).map(str::len).sum::<usize>();
    let value = text.repeat(room / length);
    (0..VARIABLES).for_each(|index| _ = serializer.append_pair(&format!("comment.{index}"), &value));
    serializer.finish()
}

fn urlencoded(title: &str, text: &str, rounds: usize) {
    let content = variables(text);
    let content = content.as_bytes();
    // Each contender returns the total length of names and values.
    let contenders = [
        Contender::new("httpants", || {
            let variables = urlencoded::parse(black_box(content), &Options::default()).expect("a good form");
            black_box(&variables).iter().map(|(name, value)| name.len() + value.len()).sum()
        }),
        Contender::new("form_urlencoded, owned", || {
            let variables: Vec<(String, String)> = form_urlencoded::parse(black_box(content)).into_owned().collect();
            black_box(&variables).iter().map(|(name, value)| name.len() + value.len()).sum()
        }),
    ];
    compare(&format!("{title}, {} bytes", content.len()), content.len(), 32, rounds, &contenders);
}

fn main() {
    let rounds = std::env::args().nth(1).map_or(15, |rounds| rounds.parse().expect("a number of rounds"));
    multipart("multipart, 64 MiB of noise", &noise(FILE), rounds);
    multipart("multipart, 64 MiB of lines", &lines(FILE), rounds);
    urlencoded("urlencoded, nothing to decode", "Lorem.ipsum-dolor_sit.", rounds);
    urlencoded("urlencoded, prose in English", "It was late, and the last train had left; so we walked. ", rounds);
    urlencoded("urlencoded, prose in Greek", "Ήταν αργά, και το τελευταίο τρένο είχε φύγει. ", rounds);
}
