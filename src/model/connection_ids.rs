//! The SAML connections that serve a domain, in the order in which people are offered them. Stored as bare UUIDs with
//! blanks between: both databases find one in it the same way.

use super::id::ConnectionId;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// So many connections serve one domain at most.
pub const MOST: usize = 10;

/// Connections of one organization, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, sea_orm::DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct ConnectionIds(Vec<ConnectionId>);

impl ConnectionIds {
    /// In this order; of several the same the first counts.
    pub fn new(ids: impl IntoIterator<Item = ConnectionId>) -> Self {
        let mut kept = Self::default();
        ids.into_iter().for_each(|id| kept.add(id));
        kept
    }

    /// In their order.
    pub fn as_slice(&self) -> &[ConnectionId] {
        &self.0
    }

    pub fn contains(&self, id: ConnectionId) -> bool {
        self.0.contains(&id)
    }

    /// Behind the others, if it is not there.
    pub fn add(&mut self, id: ConnectionId) {
        if !self.contains(id) {
            self.0.push(id);
        }
    }

    pub fn remove(&mut self, id: ConnectionId) {
        self.0.retain(|kept| *kept != id);
    }
}

impl fmt::Display for ConnectionIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, id) in self.0.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { " " }, id.uuid())?;
        }
        Ok(())
    }
}

/// A stored text that names something else than connections.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the bare id of a connection")]
pub struct NotConnectionIds(String);

impl FromStr for ConnectionIds {
    type Err = NotConnectionIds;

    fn from_str(text: &str) -> Result<Self, NotConnectionIds> {
        let read = |id: &str| ConnectionId::from_bare(id).ok_or_else(|| NotConnectionIds(id.to_owned()));
        Ok(Self(text.split_ascii_whitespace().map(read).collect::<Result<_, _>>()?))
    }
}

impl Serialize for ConnectionIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
