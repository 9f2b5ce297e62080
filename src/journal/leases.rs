//! Leases as text, an object of JSON a line.

use serde::{Deserialize, Serialize};

use crate::lease::{Lease, Requests, Target};

/// A lease as it is written; times in milliseconds since 1970, by the clock on the wall.
#[derive(Serialize, Deserialize)]
struct Written {
    pool: String,
    node: String,
    owner: String,
    reason: String,
    since: u64,
    renewed: u64,
    until: u64,
    reminded: u8,
    #[serde(default)]
    never_recall: bool,
    /// Of the pool's requests before the drain: all, those that failed, and those of them that were turned away.
    #[serde(default)]
    usual: (u64, u64, u64),
}

/// The leases as text.
pub(super) fn text<'a>(leases: impl Iterator<Item = &'a Lease>) -> String {
    let mut text = String::new();
    for lease in leases {
        let written = Written {
            pool: lease.target.pool.to_string(),
            node: lease.target.node.clone(),
            owner: lease.owner.clone(),
            reason: lease.reason.as_str().to_owned(),
            since: lease.since,
            renewed: lease.renewed,
            until: lease.until,
            reminded: lease.reminded,
            never_recall: lease.never_recall,
            usual: (lease.usual.total, lease.usual.failed, lease.usual.shed),
        };
        // Text and numbers can always be written.
        text.push_str(&serde_json::to_string(&written).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// The leases of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Lease>, String> {
    text.lines().map(lease).collect()
}

fn lease(line: &str) -> Result<Lease, String> {
    let written: Written = serde_json::from_str(line).map_err(|why| why.to_string())?;
    let (total, failed, shed) = written.usual;
    let pool = written.pool.parse().map_err(|why| format!("a pool's name: {why}"))?;
    Ok(Lease {
        target: Target { pool, node: written.node },
        owner: written.owner,
        reason: written.reason.parse().map_err(|why| format!("a reason: {why}"))?,
        since: written.since,
        renewed: written.renewed,
        until: written.until,
        reminded: written.reminded,
        empty_since: None,
        never_recall: written.never_recall,
        usual: Requests { total, failed, shed },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_of_an_older_version_may_be_recalled_and_knows_nothing_of_before() {
        let line = r#"{"pool":"web","node":"web-02","owner":"anna","reason":"x","since":1,"renewed":1,"until":9,"reminded":0}"#;
        let old = parse(line).expect("a lease").remove(0);
        assert!(!old.never_recall && old.usual == Requests::default());
        let usual = Requests { total: 300, failed: 20, shed: 1 };
        let kept = Lease { never_recall: true, usual, ..old };
        assert_eq!(parse(&text([&kept].into_iter())), Ok(vec![kept]));
    }
}
