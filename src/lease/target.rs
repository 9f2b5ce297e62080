//! Which node is meant.

use std::fmt;
use std::str::FromStr;

use crate::model::{Name, NameError};

/// A node, by its pool and its name there: `web/web-02`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The pool.
    pub pool: Name,
    /// What the node is called there.
    pub node: String,
}

/// Why a text names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There are not two names.
    #[error("write pool and node, as in `web/web-02`")]
    OneName,
    /// The pool cannot be called that.
    #[error("no pool can be called that: {0}")]
    Pool(#[from] NameError),
    /// Longer than any node's name, or with signs that none has.
    #[error("no node can be called that")]
    Node,
}

/// The longest name of a node in bytes: that of a Unix socket, which goes by its path.
const LONGEST: usize = 320;

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pool, node) = text.split_once('/').ok_or(TargetError::OneName)?;
        if node.is_empty() || pool.is_empty() {
            return Err(TargetError::OneName);
        }
        if node.len() > LONGEST || node.chars().any(char::is_control) {
            return Err(TargetError::Node);
        }
        Ok(Self { pool: pool.parse()?, node: node.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.node)
    }
}
