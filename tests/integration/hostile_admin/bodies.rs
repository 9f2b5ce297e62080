//! Bodies that are no wish, sent with every right.

use super::attacks::{Attack, Attacker, CHANGES};

/// What is no object of JSON, or one without what it takes.
const NONSENSE: [&str; 42] = [
    "",
    " ",
    "\0",
    "null",
    "true",
    "0",
    "NaN",
    "-Infinity",
    "1e999",
    "\"web/web-01\"",
    "[]",
    "[{}]",
    // The values of a wish in the order in which its keys are declared.
    "[true]",
    "[\"web\"]",
    "[\"web\", \"1h\", \"x\"]",
    "[\"web/web-02\"]",
    "[\"web/web-02\", \"1h\"]",
    "[\"web/web-01\", \"1h\", \"x\", true]",
    "{",
    "{}",
    "{]",
    "{}{}",
    "{,}",
    "{\"\": 1}",
    "{\"nonsense\": 1}",
    "{\"__proto__\": {\"force\": true}}",
    "{'node': 'web/web-01'}",
    "{node: web/web-01, reason: x}",
    "node: web/web-01\nreason: x",
    "node=web%2Fweb-01&reason=x",
    "--x\r\nContent-Disposition: form-data; name=\"node\"\r\n\r\nweb/web-01\r\n--x--",
    "<drain node=\"web/web-01\"/>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>",
    "{\"node\": \"web/web-01\", \"reason\": \"x\",}",
    "{\"node\": \"web/web-01\", \"reason\": \"x\"} {}",
    "{\"node\": \"web/web-01\" \"reason\": \"x\"}",
    "// x\n{\"node\": \"web/web-01\", \"reason\": \"x\"}",
    "{\"node\": \"web/web-01\", \"reason\": \"\\ud800\"}",
    "{\"node\": \"web/web-01\", \"reason\": \"\\x41\"}",
    "{\"node\": \"web/web-01\", \"reason\": \"a\nb\"}",
    "\u{feff}{\"node\": \"web/web-01\", \"reason\": \"x\"}",
    "{\"n\u{f6}de\": \"web/web-01\", \"reason\": \"x\"}",
];

/// Bytes that are no text.
const NO_TEXT: [&[u8]; 5] = [
    b"\xff\xfe{\0\"\0n\0",
    b"{\"node\": \"web/web-01\", \"reason\": \"\xff\"}",
    b"{\"node\": \"web/web-01\", \"reason\": \"\xc0\xaf\"}",
    b"{\"node\": \"web/web-01\", \"reason\": \"\xed\xa0\x80\"}",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
];

/// What no key takes.
const WRONG: [&str; 9] = [
    "-1",
    "1.5",
    "1e999",
    "99999999999999999999999999",
    "NaN",
    "[]",
    "{}",
    "[\"web/web-01\"]",
    "{\"a\": {}}",
];

/// What is called nothing, as JSON has it.
const NAMES: [&str; 21] = [
    r#""""#,
    r#"" ""#,
    r#""/""#,
    r#""//""#,
    r#""web/""#,
    r#""/web-01""#,
    r#""web-01/web""#,
    r#""web/web-01/""#,
    r#""web/web-01 ""#,
    r#"" web/web-01""#,
    r#""WEB/WEB-01""#,
    r#""web/*""#,
    r#""*""#,
    r#""../web/web-01""#,
    r#""web/../web/web-01""#,
    r#""%2e%2e/web-01""#,
    r#""web%2fweb-01""#,
    r#""/etc/passwd""#,
    r#""web\u0000/web-01""#,
    r#""web/web-01\n[2026-11-22T00:00:00Z ERROR bookend] forged""#,
    r#""\u202eweb/web-01\u001b[2J""#,
];

/// What is no time, or none for this.
const TIMES: [&str; 19] = [
    r#""""#,
    r#"" ""#,
    r#""0s""#,
    r#""999ms""#,
    r#""-1h""#,
    r#""+1h""#,
    r#""1""#,
    r#""h""#,
    r#""1 fortnight""#,
    r#""1e9h""#,
    r#""1h\u0000""#,
    r#""72h 1s""#,
    r#""73h""#,
    r#""18446744073709551615s""#,
    r#""18446744073709551616s""#,
    r#""99999999999999999999h""#,
    r#""18446744073709551615y 18446744073709551615y""#,
    r#""NaN""#,
    r#""forever""#,
];

/// What says nothing, or something that is not seen.
const REASONS: [&str; 12] = [
    "null",
    r#""""#,
    r#"" ""#,
    r#""\t""#,
    r#""line\nline""#,
    r#""line\r\n[2026-11-22T00:00:00Z ERROR bookend] forged""#,
    r#""\u0000""#,
    r#""\u001b[2J""#,
    r#""\u009b31m""#,
    r#""\u202ereversed""#,
    r#""line\u2028line""#,
    r#""\u2066isolated""#,
];

/// What is not JSON, whatever it holds.
const KINDS: [&str; 14] = [
    "",
    "Content-Type:\r\n",
    "Content-Type: */*\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Type: text/json\r\n",
    "Content-Type: text/plain; application/json\r\n",
    "Content-Type: application/x-www-form-urlencoded\r\n",
    "Content-Type: application/x-www-form-urlencoded; charset=application/json\r\n",
    "Content-Type: multipart/form-data; boundary=application/json\r\n",
    "Content-Type: application/jsonx\r\n",
    "Content-Type: application/problem+json\r\n",
    "Content-Type: application/json, text/plain\r\n",
    "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
    "Content-Type: \u{fc}\r\n",
];

pub(super) fn malformed(by: Attacker) -> Vec<Attack> {
    let mut attacks = Vec::new();
    let mut add = |path: &str, body: &[u8]| {
        attacks.push(by.request(&format!("POST {path}"), &by.rights(), body));
    };
    for (path, good) in CHANGES.into_iter().filter(|(_, body)| !body.is_empty()) {
        // A reload is asked for without a wish, and without one that says anything.
        let is_enough = |body: &str| path == "/reload" && matches!(body, "" | "{}");
        let nonsense = NONSENSE.iter().filter(|body| !is_enough(body)).map(|body| body.as_bytes());
        nonsense.chain(NO_TEXT).for_each(|body| add(path, body));
        for body in too_much(good) {
            add(path, body.as_bytes());
        }
        for body in spoiled(good) {
            add(path, body.as_bytes());
        }
    }
    // It takes none at all.
    for body in ["{}", "x", r#"{"file": "/etc/passwd"}"#] {
        add("/reopen", body.as_bytes());
        add("/upgrade", body.as_bytes());
        add("/alerts/test", body.as_bytes());
    }
    for (path, good) in CHANGES.into_iter().filter(|(_, body)| !body.is_empty()) {
        for kind in KINDS {
            let headers = format!("{}{kind}", by.rights());
            attacks.push(by.request_of(&format!("POST {path}"), &headers, good.as_bytes()));
        }
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let headers = format!("{}Content-Type: application/json; charset=utf-16\r\n", by.rights());
        attacks.push(by.request_of(&format!("POST {path}"), &headers, &utf16));
    }
    attacks
}

/// Wishes that would do, but for their size.
fn too_much(good: &str) -> Vec<String> {
    let open = good.strip_suffix('}').unwrap();
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    vec![
        nested("[", "]"),
        "{\"a\":".repeat(10_000),
        format!("{open}, \"reason\": {}}}", nested("[", "]")),
        format!("{open}, \"nonsense\": \"{}\"}}", "x".repeat(1_000)),
        format!("{open}{}}}", " ".repeat(64 * 1024)),
        format!("{open}, \"reason\": \"{}\"}}", "x".repeat(70_000)),
        format!("{open}, \"reason\": \"{}\"}}", "x".repeat(201)),
        format!("{open}, {}}}", vec!["\"for\": \"1h\""; 1_000].join(", ")),
    ]
}

/// Wishes that would do, but for one key.
fn spoiled(good: &str) -> Vec<String> {
    let wish: serde_json::Value = serde_json::from_str(good).unwrap();
    let mut bodies = Vec::new();
    for (key, value) in wish.as_object().unwrap() {
        let told = format!("\"{key}\":{value}");
        let plain = wish.to_string();
        let wrong: &[&str] = match key.as_str() {
            "node" | "pool" => &NAMES,
            "for" => &TIMES,
            "reason" => &REASONS,
            _ => &["0", "1", "\"true\"", "\"yes\"", "null"],
        };
        for wrong in wrong.iter().chain(&WRONG) {
            let spoiled = plain.replace(&told, &format!("\"{key}\":{wrong}"));
            assert_ne!(spoiled, plain);
            bodies.push(spoiled);
        }
        // Twice the same, and twice something else: neither is the one that counts.
        bodies.push(plain.replace(&told, &format!("{told},{told}")));
        bodies.push(plain.replace(&told, &format!("\"{key}\":null,{told}")));
        // Keys are written one way.
        bodies.push(plain.replace(&told, &format!("\"{}\":{value}", key.to_ascii_uppercase())));
        bodies.push(plain.replace(&told, &format!("\" {key}\":{value}")));
    }
    bodies
}
