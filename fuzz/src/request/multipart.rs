//! Forms with files, against a naive reader and against multer.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use quintet_request::{Boundary, Multipart, MultipartError, MultipartLimits, MultipartStep, PartHeader};

/// The boundaries that the first byte chooses from.
const BOUNDARIES: [&str; 6] =
    ["b", "-", "--", "a b", "'()+_,-./:=?", "0123456789012345678901234567890123456789012345678901234567890123456789"];

/// A part: its header, its data, and whether the data has ended.
type Part = (PartHeader, Vec<u8>, bool);

/// The defaults, or limits that a fuzzer can reach.
fn limits(seed: u8) -> MultipartLimits {
    match seed & 0x80 {
        0 => MultipartLimits::default(),
        _ => MultipartLimits { parts: 2, header_lines: 3, header: 80, name: 4, ..MultipartLimits::default() },
    }
}

/// The parts of a body that is read in pieces which `split` chooses, and the error.
fn read(
    boundary: &Boundary,
    limits: &MultipartLimits,
    bytes: &[u8],
    mut split: impl FnMut() -> usize,
) -> (Vec<Part>, Result<(), MultipartError>) {
    let (mut multipart, mut parts) = (Multipart::new(boundary, limits), Vec::<Part>::new());
    let (mut at, mut end, mut idle) = (0, 0, 0);
    while at < bytes.len() {
        if at == end {
            end = bytes.len().min(end + split().max(1));
        }
        let given = &bytes[at..end];
        let step = match multipart.next(given) {
            Ok(step) => step,
            Err(error) => {
                assert_eq!((multipart.next(b"\r\n"), multipart.finish()), (Err(error), Err(error)), "for ever");
                assert!(error.at().is_some_and(|place| place <= end as u64), "{error}");
                return (parts, Err(error));
            }
        };
        idle = if step.is_empty() { idle + 1 } else { 0 };
        assert!(step.len() <= given.len() && idle < 2, "a step takes bytes, or gives back what was kept");
        match step {
            MultipartStep::Framing(_) => {}
            MultipartStep::Part(_) => parts.push((multipart.take_part().expect("a header"), Vec::new(), false)),
            MultipartStep::Kept(_) => {
                let kept = multipart.kept();
                assert!(!kept.is_empty());
                parts.last_mut().expect("a part").1.extend_from_slice(&kept);
            }
            MultipartStep::Data(n) => parts.last_mut().expect("a part").1.extend_from_slice(&given[..n]),
            MultipartStep::PartEnd(_) => parts.last_mut().expect("a part").2 = true,
        }
        at += step.len();
    }
    (parts, multipart.finish())
}

/// What can be compared of a result.
fn seen(result: &(Vec<Part>, Result<(), MultipartError>)) -> impl PartialEq + std::fmt::Debug {
    let part = |(header, data, ended): &Part| {
        let names = (header.form_name().to_owned(), header.file_name().map(str::to_owned));
        (names, header.fields().clone(), data.clone(), *ended)
    };
    (result.0.iter().map(part).collect::<Vec<_>>(), result.1)
}

/// A body as a whole, in single bytes and in random pieces: the parts are the same, and if it is taken, they are those of
/// a reader that splits the body at its boundaries. Any content type: a boundary that is taken is grammar.
pub fn multipart(data: &[u8]) {
    let Some((&seed, data)) = data.split_first() else { return };
    if seed & 0x40 != 0 {
        content_type(data);
    }
    let text = BOUNDARIES[usize::from(seed & 7) % BOUNDARIES.len()];
    let boundary = Boundary::parse(format!("multipart/form-data; boundary=\"{text}\"").as_bytes()).expect("grammar");
    let limits = limits(seed);
    let whole = read(&boundary, &limits, data, || usize::MAX / 2);
    assert_eq!(seen(&read(&boundary, &limits, data, || 1)), seen(&whole));
    let mut state = u32::from(seed);
    let pieces = read(&boundary, &limits, data, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize
    });
    assert_eq!(seen(&pieces), seen(&whole));
    assert!(whole.0.len() <= limits.parts);

    match whole.1 {
        Ok(()) => {
            let naive = naive(text.as_bytes(), data);
            assert_eq!(naive.len(), whole.0.len());
            for ((header, read, ended), (lines, expected)) in whole.0.iter().zip(naive) {
                assert!(*ended && !header.form_name().is_empty() && header.form_name().len() <= limits.name);
                assert_eq!((read.as_slice(), header.fields().len()), (expected, lines));
                assert!(header.file_name().is_none_or(|name| !name.contains(['/', '\\']) && name != ".."));
            }
            let longer = [data, b"\r\n.".as_slice()].concat();
            let error = read(&boundary, &limits, &longer, || 7).1;
            assert!(matches!(error, Err(MultipartError::Epilogue { .. })), "{error:?}");
        }
        Err(MultipartError::Incomplete { at }) => assert_eq!(at, data.len() as u64),
        Err(error) => {
            assert!(matches!(error.status().as_u16(), 400 | 413 | 415) && !error.to_string().is_empty());
            let longer = [data, b"\r\n--b--\r\n"].concat();
            assert_eq!(read(&boundary, &limits, &longer, || 7).1, Err(error));
        }
    }
}

fn content_type(value: &[u8]) {
    match Boundary::parse(value) {
        Ok(boundary) => {
            let text = boundary.as_bytes();
            assert!((1..=70).contains(&text.len()) && !text.ends_with(b" "));
            assert!(text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte)));
            assert!(value.windows(text.len()).any(|window| window == text));
            assert!(value.to_ascii_lowercase().starts_with(b"multipart/form-data"));
        }
        Err(error) => assert!(error.at().is_none() && matches!(error.status().as_u16(), 400 | 415)),
    }
}

/// The parts of a body that is taken: the lines of each header, and the data.
fn naive<'a>(boundary: &[u8], body: &'a [u8]) -> Vec<(usize, &'a [u8])> {
    let delimiter = [b"\r\n--", boundary].concat();
    let at = |from: usize, what: &[u8]| {
        let found = body[from..].windows(what.len()).position(|window| window == what);
        found.map(|found| from + found)
    };
    // The first one may be at the very start.
    let mut end = match body.starts_with(&delimiter[2..]) {
        true => delimiter.len() - 2,
        false => at(0, &delimiter).expect("a boundary") + delimiter.len(),
    };
    let mut parts = Vec::new();
    while body[end..].starts_with(b"\r\n") {
        let header = end + 2;
        let data = at(header, b"\r\n\r\n").expect("the end of a header") + 4;
        let lines = body[header..data - 2].iter().filter(|&&byte| byte == b'\n').count();
        let next = at(data, &delimiter).expect("the end of a part");
        parts.push((lines, &body[data..next]));
        end = next + delimiter.len();
    }
    assert!(body[end..].starts_with(b"--"));
    parts
}

/// A form that is taken has the parts that multer finds, with the same data; names of letters are the same.
pub fn versus_multer(data: &[u8]) {
    let Some((&seed, data)) = data.split_first() else { return };
    let text = BOUNDARIES[usize::from(seed & 7) % BOUNDARIES.len()];
    let boundary = Boundary::parse(format!("multipart/form-data; boundary=\"{text}\"").as_bytes()).expect("grammar");
    let (parts, Ok(())) = read(&boundary, &MultipartLimits::default(), data, || usize::MAX / 2) else { return };
    // multer gives up on more lines than that.
    if parts.iter().any(|(header, _, _)| header.fields().len() > 32) {
        return;
    }
    let found = ready(multer_parts(data, text)).unwrap_or_else(|error| panic!("multer: {error}"));
    assert_eq!(found.len(), parts.len());
    for ((header, data, _), (name, file_name, found)) in parts.iter().zip(found) {
        assert_eq!(*data, found);
        let disposition = header.fields()["content-disposition"].as_bytes();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let (ours, file) = (header.form_name(), header.file_name());
        let written = match file {
            None => format!("form-data; name=\"{ours}\""),
            Some(file) => format!("form-data; name=\"{ours}\"; filename=\"{file}\""),
        };
        if written.as_bytes() == disposition && plain(ours) && file.is_none_or(plain) {
            assert_eq!((name.as_deref(), file_name.as_deref()), (Some(ours), file));
        }
    }
}

/// The names and the data of a part.
type Found = (Option<String>, Option<String>, Vec<u8>);

async fn multer_parts(body: &[u8], boundary: &str) -> Result<Vec<Found>, multer::Error> {
    let mut multipart = multer::Multipart::with_reader(body, boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        let (name, file_name) = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
        parts.push((name, file_name, field.bytes().await?.to_vec()));
    }
    Ok(parts)
}

/// Polls a future that waits for no other task.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..10_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("a reader of bytes in memory waits");
}
