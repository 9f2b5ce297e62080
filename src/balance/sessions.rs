//! The sessions of one pool: which passes are good, and whose they are.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::upstream::{Member, Pass, Seal, Seat};

/// Signs and reads the passes of a pool, and knows which of its members they name.
pub struct Sessions {
    key: Box<[u8]>,
    seal: Seal,
    members: ArcSwap<HashMap<Seat, Arc<Member>>>,
}

impl Sessions {
    /// The sessions of the pool called `pool`; `None` only for a key that is none.
    pub(super) fn new(key: &[u8], pool: &str) -> Option<Self> {
        Some(Self { key: key.into(), seal: Seal::new(key, pool)?, members: ArcSwap::default() })
    }

    /// What its passes are signed with.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// From now on these are the members.
    pub(super) fn seat(&self, members: &[Arc<Member>]) {
        let seated = members.iter().map(|member| (self.seal.seat(member.node.place()), Arc::clone(member)));
        self.members.store(Arc::new(seated.collect()));
    }

    /// The pass that a cookie's value is, if it is good.
    pub fn read(&self, value: &[u8]) -> Option<Pass> {
        self.seal.read(value)
    }

    /// The member that a pass names, if it is still there.
    pub fn member(&self, pass: &Pass) -> Option<Arc<Member>> {
        self.members.load().get(&pass.seat).cloned()
    }

    /// The value of a cookie by which `session` gets back to `member`, given at so many seconds since 1970.
    pub fn sign(&self, session: u64, member: &Member, given: u32) -> String {
        self.seal.sign(Pass { session, seat: self.seal.seat(member.node.place()), given })
    }
}
