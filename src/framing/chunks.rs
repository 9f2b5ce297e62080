//! A body in chunks.

use super::bytes::{is_token, is_value};
use super::flaw::Flaw;

/// The digits of a chunk's size: more than anybody needs, and few enough for every reader's numbers.
const MAX_DIGITS: u8 = 15;

/// How long the extensions of one chunk may be. Nobody reads them, so nobody needs them; without a bound a body of single
/// bytes costs thousands of bytes for each.
const MAX_EXTENSION: u16 = 256;

/// How much may follow the last chunk.
const MAX_TRAILERS: u16 = 8 * 1024;

/// A body in chunks, as far as it has come (RFC 9112 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    at: At,
    /// What is left of the chunk, or is known of its size.
    size: u64,
    digits: u8,
    /// Bytes of this chunk's extensions.
    extension: u16,
    /// Bytes after the last chunk.
    trailers: u16,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    /// The LF after a size and its extensions.
    SizeEnd,
    /// A blank before `;`.
    BeforeExtension,
    Name,
    NameGoesOn,
    BeforeEquals,
    Value,
    ValueGoesOn,
    Quoted,
    Escaped,
    AfterQuoted,
    Data,
    DataCr,
    DataLf,
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { at: At::Size, size: 0, digits: 0, extension: 0, trailers: 0 }
    }
}

impl Chunks {
    /// Reads on, and returns how many of `bytes` belong to the body: all of them unless it ends before.
    pub fn read(&mut self, bytes: &[u8]) -> Result<usize, Flaw> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.at {
                At::Done => break,
                At::Data => {
                    let data = self.size.min((bytes.len() - at) as u64);
                    self.size -= data;
                    at += data as usize;
                    if self.size == 0 {
                        self.at = At::DataCr;
                    }
                }
                _ => {
                    self.at = self.step(byte)?;
                    at += 1;
                }
            }
        }
        Ok(at)
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    fn step(&mut self, byte: u8) -> Result<At, Flaw> {
        match self.at {
            At::Size => self.size(byte),
            At::SizeEnd => self.end_size(byte),
            At::BeforeExtension
            | At::Name
            | At::NameGoesOn
            | At::BeforeEquals
            | At::Value
            | At::ValueGoesOn
            | At::Quoted
            | At::Escaped
            | At::AfterQuoted => self.extension(byte),
            At::DataCr => expect(byte, b'\r', At::DataLf, Flaw::ChunkEnd),
            At::DataLf => {
                *self = Self::default();
                expect(byte, b'\n', At::Size, Flaw::ChunkEnd)
            }
            At::Trailer | At::TrailerName | At::TrailerValue | At::TrailerLf | At::LastLf => {
                self.trailer(byte)
            }
            At::Data | At::Done => Ok(self.at),
        }
    }

    fn size(&mut self, byte: u8) -> Result<At, Flaw> {
        if let Some(digit) = (byte as char).to_digit(16) {
            self.digits += 1;
            self.size = self.size << 4 | u64::from(digit);
            return if self.digits <= MAX_DIGITS { Ok(At::Size) } else { Err(Flaw::ChunkSize) };
        }
        match byte {
            _ if self.digits == 0 => Err(Flaw::ChunkSize),
            b'\r' => Ok(At::SizeEnd),
            b';' => Ok(At::Name),
            b' ' | b'\t' => Ok(At::BeforeExtension),
            b'\n' => Err(Flaw::BareLf),
            _ => Err(Flaw::ChunkSize),
        }
    }

    fn end_size(&mut self, byte: u8) -> Result<At, Flaw> {
        let next = if self.size == 0 { At::Trailer } else { At::Data };
        expect(byte, b'\n', next, Flaw::BareCr)
    }

    /// `;name`, `;name=value` or `;name="value"`, with the blanks that must be read though none may be sent.
    fn extension(&mut self, byte: u8) -> Result<At, Flaw> {
        self.extension += 1;
        if self.extension > MAX_EXTENSION {
            return Err(Flaw::ChunkExtension);
        }
        let next = match (self.at, byte) {
            (At::Quoted, b'"') => At::AfterQuoted,
            (At::Quoted, b'\\') => At::Escaped,
            (At::Quoted | At::Escaped, byte) if is_value(byte) => At::Quoted,
            (At::Name | At::NameGoesOn, byte) if is_token(byte) => At::NameGoesOn,
            (At::Value | At::ValueGoesOn, byte) if is_token(byte) => At::ValueGoesOn,
            (At::Name | At::BeforeEquals | At::Value | At::BeforeExtension, b' ' | b'\t') => self.at,
            (At::NameGoesOn, b' ' | b'\t') => At::BeforeEquals,
            (At::ValueGoesOn | At::AfterQuoted, b' ' | b'\t') => At::BeforeExtension,
            (At::NameGoesOn | At::BeforeEquals, b'=') => At::Value,
            (At::Value, b'"') => At::Quoted,
            (
                At::NameGoesOn | At::BeforeEquals | At::ValueGoesOn | At::AfterQuoted | At::BeforeExtension,
                b';',
            ) => At::Name,
            (At::NameGoesOn | At::ValueGoesOn | At::AfterQuoted, b'\r') => At::SizeEnd,
            (_, b'\n') => return Err(Flaw::BareLf),
            _ => return Err(Flaw::ChunkExtension),
        };
        Ok(next)
    }

    /// Fields after the last chunk; nobody gets to see them, but where they end must be plain.
    fn trailer(&mut self, byte: u8) -> Result<At, Flaw> {
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS {
            return Err(Flaw::Trailer);
        }
        match (self.at, byte) {
            (At::TrailerLf, b'\n') => Ok(At::Trailer),
            (At::LastLf, b'\n') => Ok(At::Done),
            (At::TrailerLf | At::LastLf, _) => Err(Flaw::BareCr),
            (At::Trailer, b'\r') => Ok(At::LastLf),
            (At::Trailer | At::TrailerName, byte) if is_token(byte) => Ok(At::TrailerName),
            (At::TrailerName, b':') => Ok(At::TrailerValue),
            (At::TrailerValue, b'\r') => Ok(At::TrailerLf),
            (At::TrailerValue, byte) if is_value(byte) => Ok(At::TrailerValue),
            (_, b'\n') => Err(Flaw::BareLf),
            _ => Err(Flaw::Trailer),
        }
    }
}

fn expect(byte: u8, expected: u8, next: At, flaw: Flaw) -> Result<At, Flaw> {
    if byte == expected { Ok(next) } else { Err(flaw) }
}
