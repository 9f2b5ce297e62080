//! HTTP/1.1 messages as they stand on the wire, for both ends.

use std::io::{self, BufRead, Read};

/// A first line, headers in their order and spelling, and a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// Headers in their order and spelling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

impl Headers {
    /// The value of the only header of that name.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is there {} times: {all:?}", all.len());
        all.first().copied()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a comma-separated header holds this token.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .iter()
            .flat_map(|value| value.split(','))
            .any(|one| one.trim().eq_ignore_ascii_case(token))
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// Reads a first line and headers; `None` if the peer closed before the first byte.
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(first_line) = read_line(reader)? else { return Ok(None) };
    let mut message = Message { first_line, ..Message::default() };
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(message));
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| io::Error::other(format!("no header: {line:?}")))?;
        message.headers.0.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// What the headers say about the body; `otherwise` if they say nothing.
pub(crate) fn framing(headers: &Headers, otherwise: Framing) -> Framing {
    if headers.has_token("transfer-encoding", "chunked") {
        return Framing::Chunked;
    }
    headers.one("content-length").map_or(otherwise, |length| Framing::Length(length.parse().unwrap()))
}

/// Reads a whole body, without its framing.
pub(crate) fn read_body(reader: &mut impl BufRead, framing: Framing) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match framing {
        Framing::UntilClose => drop(reader.read_to_end(&mut body)?),
        Framing::Length(length) => read_exactly(reader, length, &mut body)?,
        Framing::Chunked => while read_chunk(reader, &mut body)? {},
    }
    Ok(body)
}

/// Reads one chunk and appends it; `false` after the last one and its trailers.
pub(crate) fn read_chunk(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(size, 16).map_err(|_| io::Error::other(format!("no chunk: {line:?}")))?;
    read_exactly(reader, size, body)?;
    if size > 0 {
        read_line(reader)?;
        return Ok(true);
    }
    while !read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {}
    Ok(false)
}

fn read_exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = reader.take(length).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A line without its end; `None` at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map(Some).map_err(io::Error::other)
}
