//! What retries hide is no secret.

use serde_json::Value;

use crate::support::{Bookend, Origin, Reload, Site, eventually, fetch};

fn masked(bookend: &Bookend) -> Option<Value> {
    let status: Value = serde_json::from_slice(&bookend.ask("/status")).unwrap();
    let masked = status["pools"][0]["masked"].clone();
    (!masked.is_null()).then_some(masked)
}

#[test]
fn status_says_how_much_was_saved_and_which_node_made_it_necessary() {
    let (good, bad) = (Origin::answering("a"), Origin::start(|call| call.reset()));
    let site = Site::of(&[&good, &bad]).with_pool("ejection: off").with_pool("retry_budget: 1000");
    let bookend = Bookend::start(&site);
    let mut sent = 0;
    // What was counted before bookend looked first does not count, nor does the slot that is not over.
    let seen = eventually("something was saved", || {
        assert_eq!(fetch(bookend.address(), "/").status, 200);
        sent += 1;
        masked(&bookend).filter(|masked| masked["saved"].as_u64() >= Some(10))
    });
    let (requests, saved) = (seen["requests"].as_u64().unwrap(), seen["saved"].as_u64().unwrap());
    // Each request tries the bad node first or the good one; how many do is for the balance to say.
    assert!(saved <= requests && requests <= 2 * saved + 1 && requests <= sent, "{seen} of {sent}");
    assert!((seen["share"].as_f64().unwrap() - saved as f64 / requests as f64).abs() < 1e-9, "{seen}");
    let cause = [&seen["seconds"], &seen["node"], &seen["reach"], &seen["part"]];
    assert_eq!(cause, [&Value::from(300), &"web-02".into(), &"maybe_sent".into(), &1.0.into()]);
    let said = String::from_utf8(bookend.command("status").stdout).unwrap();
    assert!(said.contains("% of the bad tries at web-02 (maybe sent)"), "{said}");
    assert_eq!(bookend.reload_site(&site.with_top("alerts: { masked: off }")), Reload::InForce);
    assert_eq!(masked(&bookend), None);
}
