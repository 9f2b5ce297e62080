//! What cookies are called.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Advice;

/// The longest name in bytes.
const LONGEST: usize = 64;

/// The name of a cookie: 1 to 64 of the characters of a token (RFC 6265 4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CookieName(Arc<str>);

/// Why a text is no cookie's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CookieNameError {
    /// Nothing at all.
    #[error("the name of the cookie is empty")]
    Empty,
    /// More than 64 characters.
    #[error("the name of the cookie is longer than 64 characters")]
    Long,
    /// A character that no cookie's name has.
    #[error("the name of the cookie holds {0:?}")]
    BadCharacter(char),
}

impl CookieName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CookieName {
    type Err = CookieNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if let Some(odd) = text.chars().find(|&c| !is_token(c)) {
            return Err(CookieNameError::BadCharacter(odd));
        }
        match text.len() {
            0 => Err(CookieNameError::Empty),
            1..=LONGEST => Ok(Self(text.into())),
            _ => Err(CookieNameError::Long),
        }
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Advice for CookieNameError {
    fn advice(&self) -> Option<String> {
        Some("write it with letters, digits, `_` or `-`, as in `web_node`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_a_token() {
        for text in ["a", "web_node", "__Host-a", "Web-1.x", "!#$%&'*+-.^_`|~", &"x".repeat(64)] {
            assert_eq!(text.parse::<CookieName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("".parse::<CookieName>(), Err(CookieNameError::Empty));
        assert_eq!("a b".parse::<CookieName>(), Err(CookieNameError::BadCharacter(' ')));
        assert_eq!("a=b".parse::<CookieName>(), Err(CookieNameError::BadCharacter('=')));
        assert_eq!("a;b".parse::<CookieName>(), Err(CookieNameError::BadCharacter(';')));
        assert_eq!("é".parse::<CookieName>(), Err(CookieNameError::BadCharacter('é')));
        assert_eq!("x".repeat(65).parse::<CookieName>(), Err(CookieNameError::Long));
    }
}
