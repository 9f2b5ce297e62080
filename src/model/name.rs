//! What pools and routes are called.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Advice;

/// The longest name in bytes.
const LONGEST: usize = 64;

/// A name for a pool or a route: 1 to 64 letters, digits, `.`, `_` or `-`, the first a letter or digit.
///
/// Cheap to clone: it goes into metrics and logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("the name is empty")]
    Empty,
    /// More than 64 characters.
    #[error("the name is longer than 64 characters")]
    Long,
    /// `.`, `_` or `-` in front.
    #[error("the name begins with `{0}`, not with a letter or digit")]
    BadStart(char),
    /// A character that no name has.
    #[error("the name holds {0:?}")]
    BadCharacter(char),
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if let Some(odd) = text.chars().find(|&c| !is_part(c)) {
            return Err(NameError::BadCharacter(odd));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(NameError::BadStart(first));
        }
        if text.len() > LONGEST {
            return Err(NameError::Long);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Advice for NameError {
    fn advice(&self) -> Option<String> {
        Some("a name is 1 to 64 letters, digits, `.`, `_` or `-`, as in `web-01`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_kept_as_written() {
        for text in ["web", "0", "Web-01_a.b", &"x".repeat(64)] {
            assert_eq!(text.parse::<Name>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn wrong_name_says_what_is_wrong() {
        assert_eq!("".parse::<Name>(), Err(NameError::Empty));
        assert_eq!("-a".parse::<Name>(), Err(NameError::BadStart('-')));
        assert_eq!("a b".parse::<Name>(), Err(NameError::BadCharacter(' ')));
        assert_eq!("bücher".parse::<Name>(), Err(NameError::BadCharacter('ü')));
        assert_eq!("a/b".parse::<Name>(), Err(NameError::BadCharacter('/')));
        assert_eq!("x".repeat(65).parse::<Name>(), Err(NameError::Long));
    }
}
