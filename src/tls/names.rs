//! Names, as clients ask for them and certificates have them.

/// What a certificate's name covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Covers<'a> {
    /// This name alone.
    Exactly(&'a str),
    /// Every name that is this one with one step in front (RFC 9525, 6.3).
    Below(&'a str),
}

impl<'a> Covers<'a> {
    /// What `name`, in small letters, covers.
    pub(super) fn of(name: &'a str) -> Self {
        name.strip_prefix("*.").map_or(Self::Exactly(name), Self::Below)
    }
}

/// What a name is one step below of.
pub(super) fn parent(name: &str) -> Option<&str> {
    let (step, parent) = name.split_once('.')?;
    (!step.is_empty() && parent.contains(|letter: char| letter.is_ascii_alphabetic())).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_is_for_one_step_and_no_address() {
        assert_eq!(Covers::of("*.example.com"), Covers::Below("example.com"));
        assert_eq!(Covers::of("example.com"), Covers::Exactly("example.com"));
        assert_eq!(parent("www.example.com"), Some("example.com"));
        assert_eq!(parent("localhost"), None);
        assert_eq!(parent(".example.com"), None);
        assert_eq!(parent("10.0.0.1"), None);
    }
}
