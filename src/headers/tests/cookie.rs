use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;

use crate::headers::{Change, cookies, sets_cookie, without_cookie};

fn request(lines: &[&str]) -> HeaderMap {
    lines.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap())).collect()
}

fn found(lines: &[&str], name: &str) -> Vec<String> {
    cookies(&request(lines), name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn cookie_is_found_in_whatever_line_and_place() {
    assert_eq!(found(&["a=1; b=2"], "a"), ["1"]);
    assert_eq!(found(&["a=1; b=2"], "b"), ["2"]);
    assert_eq!(found(&["a=1", "b=2;c=3"], "c"), ["3"]);
    assert_eq!(found(&["a=1; a=2", "a=3"], "a"), ["1", "2", "3"]);
    assert_eq!(found(&["a=x=y; aa=2; b"], "a"), ["x=y"]);
    assert_eq!(found(&[" a = 1 ;;"], "a"), ["1"]);
    assert_eq!(found(&["A=1; a; =a; ba=2"], "a"), [""; 0]);
    assert_eq!(found(&["a="], "a"), [""]);
    assert_eq!(found(&[], "a"), [""; 0]);
}

#[test]
fn cookie_that_is_taken_out_leaves_the_others_as_they_are() {
    let without = |lines: &[&str]| without_cookie(&request(lines), "a");
    let set = |value: &'static str| Change::Set(HeaderValue::from_static(value));
    assert_eq!(without(&["b=2; c=3"]), Change::Keep);
    assert_eq!(without(&["a=1"]), Change::Remove);
    assert_eq!(without(&["a=1; a=2", " a=3 "]), Change::Remove);
    assert_eq!(without(&["b=2; a=1; c=\"3, 4\""]), set("b=2; c=\"3, 4\""));
    assert_eq!(without(&["b=2", "a=1", "c=3; b=4"]), set("b=2; c=3; b=4"));
    assert_eq!(without(&["a = 1;b"]), set("b"));
}

#[test]
fn only_the_name_says_what_a_set_cookie_sets() {
    let sets = |value: &str| sets_cookie(&HeaderValue::from_str(value).unwrap(), "a");
    for value in ["a=1", "a=; Path=/", " a = x; HttpOnly", "a=b=c"] {
        assert!(sets(value), "{value}");
    }
    for value in ["b=1; a=2", "aa=1", "A=1", "a", "b=a=1", ""] {
        assert!(!sets(value), "{value}");
    }
}

proptest! {
    /// Whatever a client sends, the cookie is gone afterwards, and nothing panics.
    #[test]
    fn nothing_is_left_of_it(lines in prop::collection::vec("[a-c=; ]{0,20}", 0..4)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut headers = request(&lines);
        match without_cookie(&headers, "a") {
            Change::Keep => {}
            Change::Set(value) => drop(headers.insert(header::COOKIE, value)),
            Change::Remove => drop(headers.remove(header::COOKIE)),
        }
        prop_assert_eq!(cookies(&headers, "a").count(), 0);
    }
}
