//! Cookies (RFC 6265): finding one, and keeping one from travelling.

use http::{HeaderMap, HeaderValue, header};

use super::Change;

/// The values of every cookie called `name` in a request.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    pairs(headers).filter_map(move |pair| value_of(pair, name))
}

/// What becomes of a request's `Cookie` if the cookie called `name` is taken out. All lines become one, as RFC 6265 5.4
/// has it.
pub fn without_cookie(headers: &HeaderMap, name: &str) -> Change {
    if cookies(headers, name).next().is_none() {
        return Change::Keep;
    }
    let others: Vec<&[u8]> = pairs(headers).filter(|pair| value_of(pair, name).is_none()).collect();
    match HeaderValue::try_from(others.join(&b"; "[..])) {
        Ok(value) if !value.is_empty() => Change::Set(value),
        Ok(_) | Err(_) => Change::Remove,
    }
}

/// Whether a `Set-Cookie` with this value sets the cookie called `name`.
pub fn sets_cookie(value: &HeaderValue, name: &str) -> bool {
    let pair = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    value_of(pair.trim_ascii(), name).is_some()
}

/// The cookies of a request, as in `name=value`.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    pairs.map(|pair| pair.trim_ascii()).filter(|pair| !pair.is_empty())
}

fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut parts = pair.splitn(2, |&byte| byte == b'=');
    let is_named = parts.next()?.trim_ascii_end() == name.as_bytes();
    let value = parts.next()?.trim_ascii_start();
    is_named.then_some(value)
}
