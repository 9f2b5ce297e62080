//! Sticky sessions: the cookie between a client and bookend, which no node sees.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::context::Context;
use crate::clock;
use crate::config;
use crate::headers::{self, Change, Scheme};
use crate::upstream::Pass;

/// Takes the cookie out of what the node gets.
pub(super) fn request(request: &mut RequestHeader, context: &Context) -> pingora::Result<()> {
    let Some(sticky) = settings(context) else { return Ok(()) };
    match headers::without_cookie(&request.headers, sticky.cookie.as_str()) {
        Change::Keep => Ok(()),
        Change::Set(value) => request.insert_header("Cookie", value),
        Change::Remove => {
            request.remove_header(&header::COOKIE);
            Ok(())
        }
    }
}

/// Gives the client its cookie if its session began or moved, and takes away one of that name that the node sets.
pub(super) fn answer(answer: &mut ResponseHeader, context: &Context) -> pingora::Result<()> {
    let Some(sticky) = settings(context) else { return Ok(()) };
    remove_cookie(answer, sticky.cookie.as_str())?;
    let is_final = !answer.status.is_informational() || answer.status == StatusCode::SWITCHING_PROTOCOLS;
    // A node that fails is none to stay with.
    if !is_final || answer.status.is_server_error() || context.attempts.is_lent() {
        return Ok(());
    }
    let Some(value) = new_pass(sticky, context) else { return Ok(()) };
    answer.append_header("Set-Cookie", set_cookie(sticky, &value, Scheme::Http))?;
    if !is_private(&answer.headers) {
        // A cache that keeps this answer would hand the session to everybody.
        answer.append_header("Cache-Control", "private")?;
    }
    Ok(())
}

/// The pass that the client needs beside the one it has, if it needs one, as a cookie's value.
fn new_pass(sticky: &config::Sticky, context: &Context) -> Option<String> {
    let sessions = context.route()?.pool.sessions()?;
    let (pass, member) = (pass(context), context.attempts.last()?);
    let now = clock::wall().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let is_here = |pass: &Pass| {
        sessions.member(pass).is_some_and(|own| std::sync::Arc::ptr_eq(&own.node, &member.node))
    };
    let is_young = |pass: &Pass| {
        let age = now.abs_diff(u64::from(pass.given));
        sticky.max_age.is_none_or(|longest| age * 2 <= longest.as_secs())
    };
    if pass.is_some_and(|pass| is_here(&pass) && is_young(&pass)) {
        return None;
    }
    let session = pass.map_or_else(|| fastrand::u64(..), |pass| pass.session);
    Some(sessions.sign(session, member, u32::try_from(now).unwrap_or(u32::MAX)))
}

fn pass(context: &Context) -> Option<Pass> {
    context.admitted.as_ref()?.affinity.pass
}

fn settings(context: &Context) -> Option<&config::Sticky> {
    context.route()?.pool.settings().sticky.as_ref()
}

/// Takes out every `Set-Cookie` for the cookie called `name`.
fn remove_cookie(answer: &mut ResponseHeader, name: &str) -> pingora::Result<()> {
    let lines = answer.headers.get_all(header::SET_COOKIE);
    if !lines.iter().any(|line| headers::sets_cookie(line, name)) {
        return Ok(());
    }
    let others: Vec<HeaderValue> =
        lines.iter().filter(|line| !headers::sets_cookie(line, name)).cloned().collect();
    answer.remove_header(&header::SET_COOKIE);
    others.into_iter().try_for_each(|line| answer.append_header("Set-Cookie", line).map(drop))
}

/// No script has a use for it, and no other site's request needs it.
fn set_cookie(sticky: &config::Sticky, value: &str, scheme: Scheme) -> String {
    let max_age = sticky.max_age.map_or(String::new(), |longest| format!("; Max-Age={}", longest.as_secs()));
    let secure = match scheme {
        Scheme::Http => "",
        Scheme::Https => "; Secure",
    };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{max_age}{secure}", sticky.cookie)
}

/// Whether no shared cache may keep an answer with these headers.
fn is_private(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CACHE_CONTROL).into_iter();
    let mut directives = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    directives.any(|directive| {
        let directive = directive.trim_ascii();
        directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sticky(max_age: Option<Duration>) -> config::Sticky {
        config::Sticky { cookie: "node".parse().unwrap(), max_age, key_file: None }
    }

    #[test]
    fn cookie_is_for_the_whole_site_and_for_no_script() {
        let cookie = |max_age, scheme| set_cookie(&sticky(max_age), "value", scheme);
        assert_eq!(cookie(None, Scheme::Http), "node=value; Path=/; HttpOnly; SameSite=Lax");
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(
            cookie(hour, Scheme::Https),
            "node=value; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure"
        );
    }

    #[test]
    fn only_cookies_of_that_name_are_taken_out() {
        let mut answer = ResponseHeader::build(200, None).unwrap();
        for line in ["a=1", "node=theirs; Path=/", "b=node=1"] {
            answer.append_header("Set-Cookie", line).unwrap();
        }
        remove_cookie(&mut answer, "node").unwrap();
        assert_eq!(answer.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=node=1"]);
    }

    #[test]
    fn private_is_private_in_whatever_line() {
        let is_private = |lines: &[&'static str]| {
            let headers = lines.iter().map(|line| (header::CACHE_CONTROL, HeaderValue::from_static(line)));
            is_private(&headers.collect())
        };
        assert!(is_private(&["max-age=1, Private"]));
        assert!(is_private(&["public", "no-store"]));
        assert!(!is_private(&["public, max-age=60"]));
        assert!(!is_private(&["private=\"x-user\""]), "of one header only");
        assert!(!is_private(&[]));
    }
}
