//! `/api/v1/organizations/{organization_id}/events`.

use super::Tag;
use super::answer::{Answer, Listed};
use super::caller::Caller;
use super::dto::{PageView, Time, page_request, words};
use crate::model::event::EventKind;
use crate::service::Error;
use crate::service::events::{self, Event, EventQuery};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

/// Who made something happen.
#[derive(Object)]
#[oai(rename = "EventActor", skip_serializing_if_is_none)]
pub struct EventActorView {
    /// `user`, `api_key`, `operator`, `scim_token`, `saml_connection`, `system` or `anonymous`.
    pub kind: String,
    /// The id of the person or credential.
    pub id: Option<String>,
}

/// An event: a fact that happened in an organization.
#[derive(Object)]
#[oai(rename = "Event")]
pub struct EventView {
    /// TypeID, `evt_…`.
    pub id: String,
    /// Its place among the organization's events: without gaps, from 1.
    pub number: i64,
    pub kind: EventKind,
    pub actor: EventActorView,
    /// The id of what it happened to.
    pub subject: String,
    /// What there is to know beyond that; its fields depend on the kind.
    pub data: serde_json::Value,
    pub created_at: Time,
}

impl From<Event> for EventView {
    fn from(row: Event) -> Self {
        Self {
            id: row.id.to_string(),
            number: row.number.unwrap_or_default(),
            kind: row.kind,
            actor: EventActorView { kind: row.actor_kind, id: row.actor_id },
            subject: row.subject,
            data: row.data,
            created_at: row.created_at.to_datetime(),
        }
    }
}

/// The orders of a list of events.
#[derive(Enum, Clone, Copy)]
#[oai(rename = "EventOrder")]
pub enum EventOrder {
    /// Oldest first.
    #[oai(rename = "number")]
    Number,
    /// Newest first.
    #[oai(rename = "-number")]
    NumberDescending,
}

pub struct EventsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Events")]
impl EventsApi {
    /// List events
    ///
    /// What was answered before this request is in the list. To follow an organization, remember the number of the
    /// last event read and give it as `cursor`.
    #[oai(path = "/:organization_id/events", method = "get", operation_id = "list_events")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// The number of an event: the page starts behind it. `next_cursor` of the page before is one.
        cursor: Query<Option<String>>,
        /// Only these kinds, with commas between, such as `member.added,member.removed`.
        kind: Query<Option<String>>,
        /// `number` if absent.
        order_by: Query<Option<EventOrder>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<EventView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, None, include_total.0, "number")?;
        let from = cursor
            .0
            .map(|text| {
                text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or_else(|| {
                    let message = "The number of an event was expected, or the next_cursor of a page before.";
                    Error::field("cursor", "cursor_invalid", message)
                })
            })
            .transpose()?;
        let query = EventQuery {
            kinds: words::<EventKind>("kind", kind.0.as_deref())?,
            from,
            descending: matches!(order_by.0, Some(EventOrder::NumberDescending)),
            limit: request.limit(),
            include_total: request.include_total,
        };
        let page = events::list(caller.services(), &caller.ctx, organization, &query).await?;
        Ok(Listed::Ok(Json(PageView {
            data: page.data.into_iter().map(EventView::from).collect(),
            next_cursor: page.next.map(|number| number.to_string()),
            total: page.total,
        })))
    }
}
