//! HTTP/1.1 as it stands on the wire, for both ends.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A first line and headers.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    headers: Vec<(String, String)>,
}

/// How a body's end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let of_name = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.headers.iter().find(of_name).map(|(_, value)| value.as_str())
    }

    /// What the headers say about the body; `otherwise` if they say nothing.
    pub(crate) fn framing(&self, otherwise: Framing) -> Framing {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Framing::Chunked;
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        length.map_or(otherwise, Framing::Length)
    }

    /// Whether the connection ends after this message.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads a first line and headers; `None` if the peer closed before the first byte.
pub(crate) async fn read_head(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Head>> {
    let Some(first_line) = read_line(reader).await? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(Head { first_line, headers }));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| nonsense("header", &line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Reads a whole body, without its framing; what was there until it broke off stays in `body`.
pub(crate) async fn read_body(
    reader: &mut (impl AsyncBufRead + Unpin),
    framing: Framing,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    match framing {
        Framing::UntilClose => drop(reader.read_to_end(body).await?),
        Framing::Length(length) => read_exactly(reader, length, body).await?,
        Framing::Chunked => while read_chunk(reader, body).await? {},
    }
    Ok(())
}

/// Reads one chunk and appends it; `false` after the last one and its trailers.
async fn read_chunk(reader: &mut (impl AsyncBufRead + Unpin), body: &mut Vec<u8>) -> io::Result<bool> {
    let line = read_line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let size = usize::from_str_radix(line.trim(), 16).map_err(|_| nonsense("chunk", &line))?;
    read_exactly(reader, size, body).await?;
    if size > 0 {
        read_line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        return Ok(true);
    }
    while !read_line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {}
    Ok(false)
}

async fn read_exactly(
    reader: &mut (impl AsyncBufRead + Unpin),
    length: usize,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    let read = reader.take(length as u64).read_to_end(body).await?;
    if read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A line without its end; `None` at the end of the stream.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).await? == 0 {
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

/// Writes a body that is announced as `Transfer-Encoding: chunked`.
pub(crate) async fn write_chunked(writer: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    for piece in body.chunks(16 << 10) {
        write_chunk(writer, piece).await?;
    }
    writer.write_all(b"0\r\n\r\n").await
}

/// Writes one chunk that is not empty.
pub(crate) async fn write_chunk(writer: &mut (impl AsyncWrite + Unpin), piece: &[u8]) -> io::Result<()> {
    let size = format!("{:x}\r\n", piece.len());
    writer.write_all(&[size.as_bytes(), piece, b"\r\n"].concat()).await
}

/// Makes the end of this connection a reset instead of an orderly close.
pub(crate) fn resets_when_dropped(stream: &tokio::net::TcpStream) {
    // The peer may have been faster; then there is nothing to set.
    let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

fn nonsense(what: &str, line: &str) -> io::Error {
    io::Error::other(format!("no {what}: {line:?}"))
}
