//! A small web server to try bookend out with: `node NAME ADDRESS` answers every request with its name.
//!
//! It keeps connections alive, reads bodies by `Content-Length`, and prints the address that it listens on, so that port
//! 0 can be asked for. `GET /count` is answered with how many requests came before.
#![allow(clippy::print_stdout, reason = "a program that a person runs in a terminal")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: node NAME ADDRESS"));
    };
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    let node = Arc::new(Node { name, served: AtomicU64::new(0) });
    for stream in listener.incoming() {
        let (stream, node) = (stream?, Arc::clone(&node));
        thread::spawn(move || node.serve(&stream));
    }
    Ok(())
}

struct Node {
    name: String,
    served: AtomicU64,
}

/// What an answer depends on.
struct Request {
    target: String,
    body_length: u64,
    closes: bool,
}

impl Node {
    /// Answers the requests of one connection until the peer is done.
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader)? {
            let body = self.body(&request);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nX-Node: {}\r\n\r\n",
                body.len(),
                self.name
            );
            (&mut &*stream).write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
            if request.closes {
                break;
            }
        }
        Ok(())
    }

    fn body(&self, request: &Request) -> String {
        if request.target == "/count" {
            return format!("{}\n", self.served.load(Ordering::Relaxed));
        }
        self.served.fetch_add(1, Ordering::Relaxed);
        format!("this is {}\n", self.name)
    }
}

/// Reads one request whole; `None` when the peer closed between two.
fn read_request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request { target, body_length: 0, closes: false };
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => request.body_length = value.trim().parse().map_err(io::Error::other)?,
            "connection" => request.closes = value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    io::copy(&mut reader.take(request.body_length), &mut io::sink())?;
    Ok(Some(request))
}
