//! What the targets share: bytes that stand for headers, and bytes that stand for more than one thing.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers in `text`, a line each: `name: value`.
///
/// What is no header is left out: the HTTP library in front of bookend lets none of it through.
pub fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The first `COUNT` parts of `data` between `separator`s, the last with all that is left; empty where there is none.
pub fn parts<'a, const COUNT: usize>(data: &'a [u8], separator: &[u8]) -> [&'a [u8]; COUNT] {
    let mut rest = Some(data);
    std::array::from_fn(|index| -> &'a [u8] {
        let Some(here) = rest else { return &[] };
        let at = here.windows(separator.len()).position(|window| window == separator);
        match at.filter(|_| index + 1 < COUNT) {
            Some(at) => {
                rest = Some(&here[at + separator.len()..]);
                &here[..at]
            }
            None => {
                rest = None;
                here
            }
        }
    })
}
