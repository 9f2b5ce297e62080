//! The host that a request is for.

/// The name or IPv4 address in the value of `Host`, without its port; `None` if it is of other characters than those have, so
/// that it can stand in an answer as it is.
pub fn bare_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_loses_its_port_and_has_to_be_plain() {
        assert_eq!(bare_host("www.example.com:8080"), Some("www.example.com"));
        assert_eq!(bare_host("10.0.0.1"), Some("10.0.0.1"));
        for odd in ["", ":80", "[::1]", "a/b", "a\"b", "a b", "é"] {
            assert_eq!(bare_host(odd), None, "{odd}");
        }
    }
}
