//! The head of a request of HTTP/2, which came in parts (RFC 9113, 8.2 and 8.3).
//!
//! Nobody can read its end in two ways, and whoever reads the frames refuses capital letters, fields that are about a
//! connection, control bytes, and a body that is not as long as was said. What is left are the ways in which the parts say
//! two things once they stand in the lines of HTTP/1.

use http::{HeaderMap, Method};

use super::bytes::is_target;
use super::flaw::Flaw;
use super::head::{Bounds, Telling, parse_length};
use super::host::is_host;

/// A request of HTTP/2.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<'a> {
    /// What is to be done.
    pub method: &'a Method,
    /// The path, and the query if there is one.
    pub target: &'a [u8],
    /// The host, if it is said apart from the fields.
    pub authority: Option<&'a str>,
    /// The fields.
    pub fields: &'a HeaderMap,
}

impl Parsed<'_> {
    /// Whether it has one meaning, whoever reads it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, bounds: Bounds) -> Result<(), Flaw> {
        if self.fields.len() > bounds.fields {
            return Err(Flaw::TooManyFields);
        }
        if self.target.len() > bounds.target {
            return Err(Flaw::TargetTooLong);
        }
        let is_path = self.target.starts_with(b"/") || self.target == b"*" && self.method == Method::OPTIONS;
        if !is_path || !self.target.iter().all(|&byte| is_target(byte)) {
            return Err(Flaw::Target);
        }
        let (mut host, mut length) = (self.authority.map(str::as_bytes), None);
        for (name, value) in self.fields {
            if value.as_bytes() != value.as_bytes().trim_ascii() {
                // RFC 9113, 8.2.1: there is no line in which blanks could stand around it.
                return Err(Flaw::Field);
            }
            match Telling::of(name.as_str().as_bytes())? {
                Telling::Nothing => {}
                Telling::Host => match host.replace(value.as_bytes()) {
                    Some(other) if other != value.as_bytes() => return Err(Flaw::HostDiffers),
                    Some(_) | None => {}
                },
                Telling::Length => {
                    parse_length(value.as_bytes()).ok_or(Flaw::Length)?;
                    if length.replace(()).is_some() {
                        return Err(Flaw::LengthTwice);
                    }
                }
                Telling::Coding => return Err(Flaw::Coding),
            }
        }
        match host {
            None => Err(Flaw::HostMissing),
            Some(host) if !is_host(host) => Err(Flaw::HostMalformed),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { fields: 4, target: 16 };

    fn check(target: &str, authority: Option<&str>, fields: &[(&'static str, &str)]) -> Result<(), Flaw> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        let request = Parsed { method: &Method::GET, target: target.as_bytes(), authority, fields: &map };
        request.check(BOUNDS)
    }

    #[test]
    fn a_plain_request_is_one() {
        assert_eq!(check("/", Some("example.com"), &[]), Ok(()));
        assert_eq!(check("/a?b", None, &[("host", "example.com:8443")]), Ok(()));
        assert_eq!(
            check("/", Some("example.com"), &[("host", "example.com"), ("content-length", "5")]),
            Ok(())
        );
    }

    #[test]
    fn what_says_two_things_is_none() {
        assert_eq!(check("/", None, &[]), Err(Flaw::HostMissing));
        assert_eq!(check("/", Some("a.example"), &[("host", "b.example")]), Err(Flaw::HostDiffers));
        assert_eq!(check("/", Some("a.example,b.example"), &[]), Err(Flaw::HostMalformed));
        assert_eq!(check("/", Some("a"), &[("content_length", "5")]), Err(Flaw::Lookalike));
        assert_eq!(check("/", Some("a"), &[("content-length", "+5")]), Err(Flaw::Length));
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(check("/", Some("a"), &twice), Err(Flaw::LengthTwice));
        assert_eq!(check("/", Some("a"), &[("transfer-encoding", "chunked")]), Err(Flaw::Coding));
        assert_eq!(check("/", Some("a"), &[("x", " y")]), Err(Flaw::Field));
    }

    #[test]
    fn targets_are_paths() {
        for target in ["*", "", "index", "http://a/", "/a b", "/\u{e4}", "/a#b"] {
            assert_eq!(check(target, Some("a"), &[]), Err(Flaw::Target), "{target:?}");
        }
        assert_eq!(check("/0123456789abcdef", Some("a"), &[]), Err(Flaw::TargetTooLong));
    }

    #[test]
    fn fields_are_counted() {
        let field = ("x", "y");
        assert_eq!(check("/", Some("a"), &[field; 4]), Ok(()));
        assert_eq!(check("/", Some("a"), &[field; 5]), Err(Flaw::TooManyFields));
    }
}
