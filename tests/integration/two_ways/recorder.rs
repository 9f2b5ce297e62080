//! A node that reads requests to the letter, by a reader that shares nothing with bookend's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as the node reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Method and target.
    pub(super) asks: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn new(asks: &str, body: &str) -> Self {
        Self { asks: asks.to_owned(), body: body.to_owned() }
    }
}

/// A node that answers each whole request with 200. Its connections end with bookend.
pub(super) struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let theirs = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let requests = Arc::clone(&theirs);
                thread::spawn(move || serve(stream, &requests));
            }
        });
        Self { address, requests }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every whole request, in order; one that is not plain stands there as a complaint.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, requests: &Mutex<Vec<Request>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
        loop {
            match read(&bytes) {
                Ok(None) => break,
                Ok(Some((request, length))) => {
                    bytes.drain(..length);
                    requests.lock().unwrap().push(request);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
                Err(complaint) => {
                    let seen = String::from_utf8_lossy(&bytes).into_owned();
                    requests.lock().unwrap().push(Request { asks: complaint, body: seen });
                    return;
                }
            }
        }
    }
}

/// The first request in `bytes` and its length; `None` if it is not whole.
fn read(bytes: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end];
    let is_plain = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
    let mut lines = Vec::new();
    for line in head.split(|&byte| byte == b'\n') {
        lines.push(line.strip_suffix(b"\r").unwrap_or(line));
    }
    if lines.join(&b"\r\n"[..]) != head || !lines.iter().all(|line| line.iter().all(is_plain)) {
        return Err("a head with control bytes".to_owned());
    }
    let first: Vec<String> =
        lines[0].split(|&byte| byte == b' ').map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    if first.len() != 3 || first[2] != "HTTP/1.1" || !lines[0].is_ascii() || !is_plain_target(&first[1]) {
        return Err("a request line that is not plain".to_owned());
    }
    let framing = framing(&lines[1..])?;
    let body = &bytes[end + 4..];
    let Some((body, length)) = framing.read(body)? else { return Ok(None) };
    Ok(Some((Request::new(&format!("{} {}", first[0], first[1]), &body), end + 4 + length)))
}

fn is_plain_target(target: &str) -> bool {
    target.starts_with('/') && !target.contains('#') || target == "*"
}

enum Framing {
    Length(usize),
    Chunks,
}

fn framing(lines: &[&[u8]]) -> Result<Framing, String> {
    let (mut hosts, mut found) = (0, None);
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':').ok_or("a field without a colon")?;
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        if name.is_empty()
            || name.contains(|c: char| !c.is_ascii_graphic() || "\"(),/:;<=>?@[\\]{}".contains(c))
        {
            return Err(format!("a field named {name:?}"));
        }
        let value = String::from_utf8_lossy(&line[colon + 1..]).trim_matches([' ', '\t']).to_owned();
        let framing = match name.replace('_', "-").as_str() {
            "host" => {
                hosts += 1;
                continue;
            }
            "content-length" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                Framing::Length(value.parse().map_err(|_| "a length that is none")?)
            }
            "transfer-encoding" if value == "chunked" => Framing::Chunks,
            "content-length" | "transfer-encoding" => return Err(format!("{name}: {value}")),
            _ => continue,
        };
        if found.replace(framing).is_some() {
            return Err("two framings".to_owned());
        }
    }
    if hosts != 1 {
        return Err(format!("{hosts} hosts"));
    }
    Ok(found.unwrap_or(Framing::Length(0)))
}

impl Framing {
    /// The body and its length on the wire; `None` if it is not whole.
    fn read(&self, bytes: &[u8]) -> Result<Option<(String, usize)>, String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Length(length) => Ok(bytes.get(..*length).map(|body| (text(body), *length))),
            Self::Chunks => {
                let (mut body, mut at) = (Vec::new(), 0);
                loop {
                    let rest = &bytes[at..];
                    let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
                        return Ok(None);
                    };
                    let size = usize::from_str_radix(&text(&rest[..end]), 16);
                    let size = size.map_err(|_| format!("a chunk of {:?}", text(&rest[..end])))?;
                    let Some(chunk) = rest.get(end + 2..end + 4 + size) else { return Ok(None) };
                    if !chunk.ends_with(b"\r\n") {
                        return Err("a chunk that does not end".to_owned());
                    }
                    body.extend_from_slice(&chunk[..size]);
                    at += end + 4 + size;
                    if size == 0 {
                        return Ok(Some((text(&body), at)));
                    }
                }
            }
        }
    }
}
