use http::HeaderValue;
use proptest::prelude::*;

use super::Kind;

fn preferred(lines: &[&str]) -> Kind {
    let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
    Kind::preferred(&lines)
}

#[test]
fn kind_follows_accept() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    let cases = [
        ("", Kind::Text),
        ("*/*", Kind::Text),
        ("text/*", Kind::Text),
        ("application/*", Kind::Json),
        (browser, Kind::Html),
        ("text/html", Kind::Html),
        ("TEXT/HTML;charset=utf-8", Kind::Html),
        ("text/html, */*", Kind::Html),
        ("application/json", Kind::Json),
        ("Application/Problem+JSON, */*", Kind::Json),
        ("application/vnd.github+json", Kind::Json),
        ("application/json, text/plain, */*", Kind::Text),
        ("text/html;q=0.5, application/json;q=0.6", Kind::Json),
        ("text/html;q=0.5, application/json ; Q=0.499", Kind::Html),
        ("text/*;q=0.9, text/plain;q=0.1, application/json;q=0.8", Kind::Html),
        ("*/*, text/plain;q=0", Kind::Html),
        ("text/*;q=0, */*;q=0.1", Kind::Json),
        ("text/html;q=0", Kind::Text),
        ("image/png", Kind::Text),
        ("application/jsonp, application/xjson", Kind::Text),
        ("text/html;q=1.5, application/json;q=0.001", Kind::Json),
        ("text/html;q=, application/json;q=0.1", Kind::Json),
        ("text/html;q=0.1234, application/json;q=0.1", Kind::Json),
        ("text/html;q=-1, application/json;q=1.000", Kind::Json),
        (",,;;q=1,/,", Kind::Text),
    ];
    for (line, expected) in cases {
        assert_eq!(preferred(&[line]), expected, "{line}");
    }
    assert_eq!(preferred(&[]), Kind::Text);
    assert_eq!(preferred(&["text/html;q=0.1", "application/json;q=0.2"]), Kind::Json);
}

#[test]
fn only_the_first_kibibyte_is_read() {
    let padding = "a/b,".repeat(256);
    assert_eq!(preferred(&[&format!("{padding}text/html")]), Kind::Text);
    assert_eq!(preferred(&[&padding, "text/html"]), Kind::Text);
    assert_eq!(preferred(&["text/html", &padding, "application/json"]), Kind::Html);
}

proptest! {
    #[test]
    fn kind_that_is_asked_for_outright_is_given(
        asked in prop::sample::select(vec![
            ("text/html", Kind::Html), ("application/json", Kind::Json), ("text/plain", Kind::Text),
        ]),
        others in prop::collection::vec((prop::sample::select(vec!["*/*", "text/*", "application/*", "a/b"]), 0..=999_u16), 0..4),
    ) {
        let mut ranges: Vec<String> = others.iter().map(|(range, q)| format!("{range};q=0.{q:03}")).collect();
        ranges.push(asked.0.to_owned());
        ranges.rotate_right(others.len() / 2);
        prop_assert_eq!(preferred(&[&ranges.join(", ")]), asked.1);
    }

    #[test]
    fn any_bytes_have_some_kind(lines in prop::collection::vec("[ -~]{0,40}", 0..4)) {
        let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
        let _ = Kind::preferred(&lines);
    }
}
