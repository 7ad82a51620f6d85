//! Events as their organization reads them: in order, numbered without gaps, the one just made included.

pub use crate::store::events::Event;

use super::organizations::reach;
use super::permissions::Action;
use super::{Ctx, Error, Services};
use crate::model::event::EventKind;
use crate::model::id::OrganizationId;
use crate::store;

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only these kinds; empty is all.
    pub kinds: Vec<EventKind>,
    /// After this number, or before it when newest come first.
    pub from: Option<i64>,
    /// Newest first.
    pub descending: bool,
    /// At most so many.
    pub limit: u64,
    /// Whether to count them all.
    pub include_total: bool,
}

/// Events, and where the next ones start.
#[derive(Debug, Clone)]
pub struct EventPage {
    pub data: Vec<Event>,
    /// The number of the last event given, if there are more.
    pub next: Option<i64>,
    pub total: Option<u64>,
}

/// Reads events of an organization. Those that were committed just now get their numbers first.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    query: &EventQuery,
) -> Result<EventPage, Error> {
    let scope = reach(services, ctx, organization, Action::ReadEvents).await?;
    store::events::number_pending(&services.db, scope).await?;
    let total = if query.include_total {
        Some(store::events::count(&services.db, scope, &query.kinds).await?)
    } else {
        None
    };
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut data = store::events::list(
        &services.db,
        scope,
        &query.kinds,
        query.from,
        query.descending,
        query.limit.saturating_add(1),
    )
    .await?;
    let more = data.len() > limit;
    data.truncate(limit);
    let next = if more { data.last().and_then(|event| event.number) } else { None };
    Ok(EventPage { data, next, total })
}
