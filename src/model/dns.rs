//! What makes a DNS name, for everything that holds one.

/// The longest name that DNS can carry, in bytes (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 253;
/// The longest part between two dots, in bytes (RFC 1035, 2.3.4).
const LONGEST_LABEL: usize = 63;

/// Why a text is no DNS name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsNameError {
    /// Two dots in a row, or one at an end.
    #[error("it has an empty part: two dots in a row, or a dot at an end")]
    EmptyLabel,
    /// A part between two dots is too long.
    #[error("a part between two dots is longer than 63 characters")]
    LongLabel,
    /// The whole is too long.
    #[error("it is longer than 253 characters")]
    Long,
    /// A letter that only the encoded form of a name can carry.
    #[error("it holds `{0}`, and a host travels in ASCII")]
    NotAscii(char),
    /// A character that no host has.
    #[error("it holds {0:?}, and a host is made of letters, digits, `-`, `_` and `.`")]
    BadCharacter(char),
}

/// Whether `text` can be looked up in DNS; underscores are allowed, as service names use them.
pub(super) fn check(text: &str) -> Result<(), DnsNameError> {
    if let Some(odd) = text.chars().find(|&c| !c.is_ascii()) {
        return Err(DnsNameError::NotAscii(odd));
    }
    if let Some(odd) = text.chars().find(|&c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
        return Err(DnsNameError::BadCharacter(odd));
    }
    if text.len() > LONGEST_NAME {
        return Err(DnsNameError::Long);
    }
    text.split('.').try_for_each(|label| match label.len() {
        0 => Err(DnsNameError::EmptyLabel),
        1..=LONGEST_LABEL => Ok(()),
        _ => Err(DnsNameError::LongLabel),
    })
}

/// How a name with this flaw can be mended.
pub(super) fn advice(error: DnsNameError) -> Option<String> {
    match error {
        DnsNameError::NotAscii(_) => Some("write it in punycode, as in `xn--mnchen-3ya.example`".to_owned()),
        DnsNameError::EmptyLabel
        | DnsNameError::LongLabel
        | DnsNameError::Long
        | DnsNameError::BadCharacter(_) => None,
    }
}
