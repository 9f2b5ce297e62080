//! What is wrong with a message.

use std::fmt;

use http::StatusCode;

/// Why a request is refused before anybody has read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A CR that ends no line.
    BareCr,
    /// A line that ends with LF alone.
    BareLf,
    /// A control byte where none may be.
    Control,
    /// The first line is not a method, a target and a version with one blank between them.
    RequestLine,
    /// A byte in the target that has to be escaped, or a target that is no path and no URL of ours.
    Target,
    /// The target is longer than it may be.
    TargetTooLong,
    /// The version is none, or an unknown one of HTTP/1.
    Version,
    /// Another major version.
    VersionUnsupported,
    /// The name of a field is empty or has a byte that may not be there, such as a blank before the colon; or the line has
    /// no colon, or goes on from the one before it.
    Field,
    /// There are more fields than there may be.
    TooManyFields,
    /// The name of a field passes for one that says where the message ends, with `_` for `-`.
    Lookalike,
    /// HTTP/1.1, and no host.
    HostMissing,
    /// Two hosts.
    HostTwice,
    /// A host that is no name and no address.
    HostMalformed,
    /// The target names another host.
    HostDiffers,
    /// A length that is no number, or none that anybody could send.
    Length,
    /// Two lengths, even if they are the same.
    LengthTwice,
    /// A length and chunks.
    LengthAndChunks,
    /// A transfer coding other than `chunked`, once.
    Coding,
    /// A transfer coding in HTTP/1.0, which has none.
    CodingTooOld,
    /// A chunk without a size, or with one that nobody could send.
    ChunkSize,
    /// A chunk extension that is none, or longer than anybody needs.
    ChunkExtension,
    /// A chunk that does not end where its size says.
    ChunkEnd,
    /// What follows the last chunk is no field, or there is too much of it.
    Trailer,
}

impl Flaw {
    /// Every one of them.
    pub const ALL: [Self; 24] = [
        Self::BareCr,
        Self::BareLf,
        Self::Control,
        Self::RequestLine,
        Self::Target,
        Self::TargetTooLong,
        Self::Version,
        Self::VersionUnsupported,
        Self::Field,
        Self::TooManyFields,
        Self::Lookalike,
        Self::HostMissing,
        Self::HostTwice,
        Self::HostMalformed,
        Self::HostDiffers,
        Self::Length,
        Self::LengthTwice,
        Self::LengthAndChunks,
        Self::Coding,
        Self::CodingTooOld,
        Self::ChunkSize,
        Self::ChunkExtension,
        Self::ChunkEnd,
        Self::Trailer,
    ];

    /// What the client is told.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::VersionUnsupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::BareCr
            | Self::BareLf
            | Self::Control
            | Self::RequestLine
            | Self::Target
            | Self::Version
            | Self::Field
            | Self::Lookalike
            | Self::HostMissing
            | Self::HostTwice
            | Self::HostMalformed
            | Self::HostDiffers
            | Self::Length
            | Self::LengthTwice
            | Self::LengthAndChunks
            | Self::Coding
            | Self::CodingTooOld
            | Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkEnd
            | Self::Trailer => StatusCode::BAD_REQUEST,
        }
    }

    /// What is wrong, in a few words for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BareCr => "bare CR",
            Self::BareLf => "bare LF",
            Self::Control => "control byte",
            Self::RequestLine => "request line malformed",
            Self::Target => "target malformed",
            Self::TargetTooLong => "target too long",
            Self::Version => "version malformed",
            Self::VersionUnsupported => "version not supported",
            Self::Field => "field malformed",
            Self::TooManyFields => "too many fields",
            Self::Lookalike => "field passes for another",
            Self::HostMissing => "no host",
            Self::HostTwice => "two hosts",
            Self::HostMalformed => "host malformed",
            Self::HostDiffers => "host differs from target",
            Self::Length => "length malformed",
            Self::LengthTwice => "two lengths",
            Self::LengthAndChunks => "length and chunks",
            Self::Coding => "transfer coding not chunked",
            Self::CodingTooOld => "transfer coding in HTTP/1.0",
            Self::ChunkSize => "chunk size malformed",
            Self::ChunkExtension => "chunk extension malformed",
            Self::ChunkEnd => "chunk not ended",
            Self::Trailer => "trailer malformed",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Flaw {}
