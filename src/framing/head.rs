//! The head of a request.

use super::bytes::{find_control, is_target, is_token};
use super::flaw::Flaw;
use super::host::is_host;

/// The length that nobody's body has; beyond it numbers of other programs overflow.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// How much of a head there may be, other than its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fields.
    pub fields: usize,
    /// Bytes of the target.
    pub target: usize,
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// The head of a request, as far as it has come.
#[derive(Debug, Default)]
pub struct Head {
    /// Where its current line begins.
    line: usize,
    /// Up to where that line has no end.
    seen: usize,
    /// Whether there was the one empty line that may come first (RFC 9112 2.2).
    is_after_empty: bool,
    first: Option<First>,
    fields: usize,
    host: Option<Span>,
    length: Option<u64>,
    is_chunked: bool,
}

/// What the first line says.
#[derive(Clone, Copy, Debug)]
struct First {
    version: Version,
    /// The host of an absolute target.
    authority: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Where in the head something stands.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: usize,
    to: usize,
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.from..self.to).unwrap_or_default()
    }
}

impl Head {
    /// Reads on in `bytes`, which begin with the head; those that were there before are there again.
    ///
    /// Returns how long the head is and what follows it; `None` while it is not whole.
    pub fn read(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Option<(usize, Body)>, Flaw> {
        if bytes.first().is_some_and(|&byte| !is_token(byte) && byte != b'\r' && byte != b'\n') {
            // Another protocol may never send the end of a line.
            return Err(Flaw::RequestLine);
        }
        while let Some(end) = self.find_end(bytes)? {
            let line = Span { from: self.line, to: end };
            self.line = end + 2;
            self.seen = self.line;
            if line.from < line.to {
                self.read_line(bytes, line, bounds)?;
            } else if let Some(first) = self.first {
                return self.finish(bytes, first).map(|body| Some((self.line, body)));
            } else if std::mem::replace(&mut self.is_after_empty, true) {
                return Err(Flaw::RequestLine);
            }
        }
        Ok(None)
    }

    /// Where the current line ends, once its CR LF is there.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Flaw> {
        let Some(found) = bytes.get(self.seen..).and_then(find_control) else {
            self.seen = bytes.len();
            return Ok(None);
        };
        self.seen += found;
        match (bytes.get(self.seen), bytes.get(self.seen + 1)) {
            (Some(b'\r'), None) => Ok(None),
            (Some(b'\r'), Some(b'\n')) => Ok(Some(self.seen)),
            (Some(b'\r'), Some(_)) => Err(Flaw::BareCr),
            (Some(b'\n'), _) => Err(Flaw::BareLf),
            _ => Err(Flaw::Control),
        }
    }

    fn read_line(&mut self, bytes: &[u8], line: Span, bounds: Bounds) -> Result<(), Flaw> {
        if self.first.is_none() {
            self.first = Some(First::read(line.of(bytes), line.from, bounds)?);
            return Ok(());
        }
        self.fields += 1;
        if self.fields > bounds.fields {
            return Err(Flaw::TooManyFields);
        }
        self.read_field(bytes, line)
    }

    fn read_field(&mut self, bytes: &[u8], line: Span) -> Result<(), Flaw> {
        let text = line.of(bytes);
        let colon = text.iter().position(|&byte| !is_token(byte)).filter(|&at| at > 0);
        let Some((name, value)) = colon.and_then(|at| text.split_at_checked(at)) else {
            return Err(Flaw::Field);
        };
        let Some(value) = value.strip_prefix(b":") else { return Err(Flaw::Field) };
        match Telling::of(name)? {
            Telling::Nothing => Ok(()),
            Telling::Host => {
                let blanks = value.len() - value.trim_ascii_start().len();
                let from = line.to - value.len() + blanks;
                let host = Span { from, to: from + value.trim_ascii().len() };
                if self.host.replace(host).is_some() { Err(Flaw::HostTwice) } else { Ok(()) }
            }
            Telling::Length if self.is_chunked => Err(Flaw::LengthAndChunks),
            Telling::Length => {
                let length = parse_length(value.trim_ascii()).ok_or(Flaw::Length)?;
                if self.length.replace(length).is_some() { Err(Flaw::LengthTwice) } else { Ok(()) }
            }
            Telling::Coding if self.length.is_some() => Err(Flaw::LengthAndChunks),
            Telling::Coding => {
                let is_second = std::mem::replace(&mut self.is_chunked, true);
                let is_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                if is_chunked && !is_second { Ok(()) } else { Err(Flaw::Coding) }
            }
        }
    }

    /// What has to be true of the head as a whole.
    fn finish(&self, bytes: &[u8], first: First) -> Result<Body, Flaw> {
        if self.is_chunked && first.version == Version::Http10 {
            return Err(Flaw::CodingTooOld);
        }
        match self.host.map(|host| host.of(bytes)) {
            None if first.version == Version::Http11 => return Err(Flaw::HostMissing),
            None => {}
            Some(host) if !is_host(host) => return Err(Flaw::HostMalformed),
            Some(host) => {
                let other = first.authority.map(|authority| authority.of(bytes));
                if other.is_some_and(|other| !other.eq_ignore_ascii_case(host)) {
                    return Err(Flaw::HostDiffers);
                }
            }
        }
        Ok(if self.is_chunked { Body::Chunked } else { Body::Length(self.length.unwrap_or(0)) })
    }
}

/// What a field tells of the message, by its name.
pub(super) enum Telling {
    Nothing,
    Host,
    Length,
    Coding,
}

impl Telling {
    /// By the name, which is long enough to tell most of them apart.
    pub(super) fn of(name: &[u8]) -> Result<Self, Flaw> {
        let (known, telling): (&[u8], _) = match name.len() {
            4 => (b"host", Self::Host),
            14 => (b"content-length", Self::Length),
            17 => (b"transfer-encoding", Self::Coding),
            _ => return Ok(Self::Nothing),
        };
        if name.eq_ignore_ascii_case(known) {
            return Ok(telling);
        }
        // CGI and its kin know both spellings by one name.
        let passes = name.iter().zip(known).all(|(byte, known)| match byte {
            b'_' => *known == b'-',
            byte => byte.eq_ignore_ascii_case(known),
        });
        if passes { Err(Flaw::Lookalike) } else { Ok(Self::Nothing) }
    }
}

/// Digits and nothing else.
pub(super) fn parse_length(text: &[u8]) -> Option<u64> {
    let mut digits = text.iter();
    let number = digits.try_fold(0_u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    (!text.is_empty() && text.len() <= 19 && number <= MAX_LENGTH).then_some(number)
}

impl First {
    /// Reads the first line, which begins at `from` in the head.
    fn read(line: &[u8], from: usize, bounds: Bounds) -> Result<Self, Flaw> {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(Flaw::RequestLine);
        };
        if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) || target.is_empty() {
            return Err(Flaw::RequestLine);
        }
        if target.len() > bounds.target {
            return Err(Flaw::TargetTooLong);
        }
        if !target.iter().all(|&byte| is_target(byte)) {
            return Err(Flaw::Target);
        }
        let version = match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            other => return Err(why_not(other)),
        };
        let authority = authority(method, target)?;
        let from = from + method.len() + 1;
        let authority = authority.map(|span| Span { from: from + span.from, to: from + span.to });
        Ok(Self { version, authority })
    }
}

/// What is wrong with a version (RFC 9110 15.6.6).
fn why_not(version: &[u8]) -> Flaw {
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() && *major != b'1' =>
        {
            Flaw::VersionUnsupported
        }
        _ => Flaw::Version,
    }
}

/// Where in the target the host stands, if it is a whole URL (RFC 9112 3.2).
fn authority(method: &[u8], target: &[u8]) -> Result<Option<Span>, Flaw> {
    // Whether it may be asked for a tunnel is decided where all methods are.
    if target.starts_with(b"/") || target == b"*" && method == b"OPTIONS" || method == b"CONNECT" {
        return Ok(None);
    }
    let (host, _) = split_url(target).ok_or(Flaw::Target)?;
    let from = target.iter().position(|&byte| byte == b'/').unwrap_or(0) + 2;
    if is_host(host) { Ok(Some(Span { from, to: from + host.len() })) } else { Err(Flaw::Target) }
}

/// The host of a target that is a whole URL of ours, and what follows it: a path, a query or nothing.
pub fn split_url(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (begin, rest) = target.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    rest.split_at_checked(length)
}
