//! `/api/v1/organizations/{organization_id}/scim/logs`, and the same of one domain: the SCIM calls of the organization's
//! identity provider, for whoever may read the SCIM settings.

use super::Tag;
use super::answer::{Answer, Failure, Listed};
use super::caller::Caller;
use super::dto::{Time, id, page_request, parts, words};
use crate::model::id::{DomainId, ScimRequestId};
use crate::model::page::Cursor;
use crate::model::scim_request::{IdentityProvider, ScimResource};
use crate::service::Error;
use crate::service::scim_requests::{self, Entry, Found, ScimRequest, ScimRequestFilter};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;

/// Who sent a call.
#[derive(Object)]
#[oai(rename = "ScimRequestActor")]
pub struct ActorView {
    /// What kind of credential it was, such as `scim_token`.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// A SCIM call, as it was answered.
#[derive(Object)]
#[oai(rename = "ScimRequest", skip_serializing_if_is_none)]
pub struct ScimRequestView {
    /// TypeID, `srq_…`.
    pub id: String,
    /// What happened, in a sentence: "Added 3 people to Engineering."
    pub summary: String,
    pub method: String,
    /// With its query; secrets in it are `***`.
    pub path: String,
    pub resource: ScimResource,
    /// Absent if the call was broken off before there was an answer, as over HTTP/2; over HTTP/1.1 a call goes on to its
    /// end when its client hangs up.
    pub status: Option<u16>,
    /// Of a refusal: its `scimType`; of a token that opens nothing: `expired`, `revoked` or `oauth_only`, which the
    /// client is not told.
    pub error_code: Option<String>,
    /// Why it was refused.
    pub error: Option<String>,
    /// Whose product the client is, guessed from its `User-Agent`.
    pub identity_provider: IdentityProvider,
    pub actor: ActorView,
    /// The domain that the credential is bound to, or else that of the person whom the call was about.
    pub domain: Option<String>,
    /// Where the call came from.
    pub ip: Option<String>,
    /// Milliseconds from the request's head to the answer.
    pub duration_ms: f64,
    /// The answer's `X-Request-Id`.
    pub request_id: String,
    pub created_at: Time,
}

impl From<Entry> for ScimRequestView {
    fn from(row: Entry) -> Self {
        Self {
            id: row.id.to_string(),
            summary: row.summary,
            method: row.method,
            path: row.path,
            resource: row.resource,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            error_code: row.error_code,
            error: row.error,
            identity_provider: row.identity_provider,
            actor: ActorView { kind: row.actor_kind, id: row.actor_id },
            domain: row.domain,
            ip: row.ip,
            duration_ms: milliseconds(row.duration_us),
            request_id: row.request_id,
            created_at: row.created_at.to_datetime(),
        }
    }
}

fn milliseconds(micros: i64) -> f64 {
    // Days in microseconds are far from what a double cannot hold.
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0
}

/// A header of a request.
#[derive(Object)]
#[oai(rename = "ScimRequestHeader")]
pub struct HeaderView {
    pub name: String,
    /// `***` unless the header is known to be harmless.
    pub value: String,
}

/// A body as it was kept.
#[derive(Object)]
#[oai(rename = "ScimRequestBody", skip_serializing_if_is_none)]
pub struct BodyView {
    /// Its length as it was sent.
    pub bytes: u64,
    /// The JSON, with `***` for passwords, secrets, tokens and photos.
    pub content: Option<serde_json::Value>,
    /// Whether something at the end of the content is missing, because only the first 16 KiB are kept.
    pub cut: bool,
    /// Why there is no content.
    pub note: Option<String>,
}

impl BodyView {
    pub(super) fn new(kept: Option<&str>, bytes: i64, cut: bool, otherwise: &str) -> Self {
        let content = kept.and_then(|text| serde_json::from_str(text).ok());
        let note = (bytes > 0 && content.is_none()).then(|| otherwise.to_owned());
        Self { bytes: u64::try_from(bytes).unwrap_or(0), content, cut, note }
    }
}

/// A SCIM call with all that is kept of it.
#[derive(Object)]
#[oai(rename = "ScimRequestDetails", skip_serializing_if_is_none)]
pub struct ScimRequestDetails {
    #[oai(flatten)]
    pub request: ScimRequestView,
    pub request_headers: Vec<HeaderView>,
    pub request_body: BodyView,
    pub response_body: BodyView,
}

impl From<ScimRequest> for ScimRequestDetails {
    fn from(row: ScimRequest) -> Self {
        let headers = row.request_headers.lines().filter_map(|line| line.split_once(": "));
        let request_headers = headers
            .map(|(name, value)| HeaderView { name: name.to_owned(), value: value.to_owned() })
            .collect();
        let request_body = BodyView::new(
            row.request_body.as_deref(),
            row.request_bytes,
            row.request_cut,
            "Not kept: it was not JSON.",
        );
        let response_body = BodyView::new(
            row.response_body.as_deref(),
            row.response_bytes,
            row.response_cut,
            "Not kept: answers of more than 4 KiB that only repeat what is stored are not.",
        );
        let request = Entry {
            id: row.id,
            created_at: row.created_at,
            duration_us: row.duration_us,
            method: row.method,
            path: row.path,
            resource: row.resource,
            status: row.status,
            error_code: row.error_code,
            error: row.error,
            summary: row.summary,
            identity_provider: row.identity_provider,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            domain: row.domain,
            ip: row.ip,
            request_id: row.request_id,
        };
        Self { request: request.into(), request_headers, request_body, response_body }
    }
}

/// One page of the log, newest first.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ScimRequestList {
    /// The rows. Where the log is narrowed, one page looks through at most 10,000 entries, so that it may have few rows
    /// or none and go on nevertheless: while there is a `next_cursor`, the end of the log was not reached.
    pub data: Vec<ScimRequestView>,
    /// Give it as `cursor` for the next page; absent at the end of the log.
    pub next_cursor: Option<String>,
}

impl From<Found> for ScimRequestList {
    fn from(page: Found) -> Self {
        Self {
            data: page.entries.into_iter().map(ScimRequestView::from).collect(),
            next_cursor: page.next.map(|id| Cursor::after_id(id.uuid()).encode()),
        }
    }
}

/// Reads statuses: `404`, or a class such as `4xx`.
fn statuses(text: Option<&str>) -> Result<Vec<(u16, u16)>, Failure> {
    let read = |word: &str| {
        let class = word.strip_suffix("xx").or_else(|| word.strip_suffix("XX"));
        match (class.and_then(|class| class.parse::<u16>().ok()), word.parse::<u16>()) {
            (Some(class @ 1..=5), _) => Ok((class * 100, class * 100 + 99)),
            (None, Ok(status @ 100..=599)) => Ok((status, status)),
            _ => {
                let message = format!(
                    "{word:?} was given; a status such as 404, or a class such as 4xx, was expected."
                );
                Err(Error::field("status", "invalid_choice", message).into())
            }
        }
    };
    parts("status", text)?.into_iter().map(read).collect()
}

/// Reads methods.
fn methods(text: Option<&str>) -> Result<Vec<String>, Failure> {
    let read = |word: &str| {
        let method = word.to_ascii_uppercase();
        if method.len() <= 20 && method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Ok(method);
        }
        let message = format!("{word:?} was given; a method such as PATCH was expected.");
        Err(Error::field("method", "invalid_choice", message).into())
    };
    parts("method", text)?.into_iter().map(read).collect()
}

/// What a list is asked for, as it stands in the query.
struct Asked {
    limit: Option<u32>,
    cursor: Option<String>,
    status: Option<String>,
    method: Option<String>,
    resource: Option<String>,
    after: Option<OffsetDateTime>,
    before: Option<OffsetDateTime>,
    search: Option<String>,
}

impl Asked {
    /// The page that is asked for, of the whole log or of one domain's.
    async fn page(
        self,
        caller: &Caller,
        organization_id: &str,
        domain_id: Option<&str>,
    ) -> Answer<Listed<ScimRequestList>> {
        let organization = caller.organization(organization_id)?;
        let domain: Option<DomainId> = domain_id.map(id).transpose()?;
        let request = page_request(self.limit, self.cursor.as_deref(), None, "id")?;
        let cursor = request.cursor.as_ref().map(|cursor| ScimRequestId(cursor.id));
        let filter = ScimRequestFilter {
            statuses: statuses(self.status.as_deref())?,
            methods: methods(self.method.as_deref())?,
            resources: words::<ScimResource>("resource", self.resource.as_deref())?,
            after: self.after.map(Into::into),
            before: self.before.map(Into::into),
            search: self.search.filter(|text| !text.is_empty()),
            domain: None,
        };
        let (services, ctx, limit) = (caller.services(), &caller.ctx, request.limit());
        let page = match domain {
            None => scim_requests::list(services, ctx, organization, &filter, cursor, limit).await?,
            Some(domain) => {
                scim_requests::list_of_domain(services, ctx, organization, domain, filter, cursor, limit)
                    .await?
            }
        };
        Ok(Listed::Ok(Json(page.into())))
    }
}

pub struct ScimRequestsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl ScimRequestsApi {
    /// List SCIM calls
    ///
    /// Every call of the directory's identity provider with what happened, newest first. A call with a token that has
    /// expired or was revoked is among them, one with a token that is nobody's is not; of such refusals, and of those for
    /// too many requests, ten in ten seconds are kept of each token.
    #[oai(path = "/:organization_id/scim/logs", method = "get", operation_id = "list_scim_logs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only these, with commas between: statuses such as `409`, classes such as `4xx,5xx`.
        status: Query<Option<String>>,
        /// Only these methods, with commas between.
        method: Query<Option<String>>,
        /// Only these, with commas between: `user`, `group`, `search`, `bulk`, `discovery`, `other`.
        resource: Query<Option<String>>,
        /// Not before this time, to the millisecond.
        after: Query<Option<OffsetDateTime>>,
        /// Before this time, to the millisecond.
        before: Query<Option<OffsetDateTime>>,
        /// Part of the sentence, the path, the token's id or the request id, without case.
        search: Query<Option<String>>,
    ) -> Answer<Listed<ScimRequestList>> {
        let asked = Asked {
            limit: limit.0,
            cursor: cursor.0,
            status: status.0,
            method: method.0,
            resource: resource.0,
            after: after.0,
            before: before.0,
            search: search.0,
        };
        asked.page(&caller, &organization_id, None).await
    }

    /// Read a SCIM call
    ///
    /// With its headers and bodies as they were kept.
    #[oai(path = "/:organization_id/scim/logs/:log_id", method = "get", operation_id = "get_scim_log")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        log_id: Path<String>,
    ) -> Answer<Listed<ScimRequestDetails>> {
        let organization = caller.organization(&organization_id)?;
        let log = id(&log_id)?;
        let row = scim_requests::find(caller.services(), &caller.ctx, organization, log).await?;
        Ok(Listed::Ok(Json(row.into())))
    }

    /// List SCIM calls of a domain
    ///
    /// Those by tokens that are bound to the domain, and those by tokens of the whole directory about people on it.
    #[oai(
        path = "/:organization_id/domains/:domain_id/scim/logs",
        method = "get",
        operation_id = "list_domain_scim_logs"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list_of_domain(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only these, with commas between: statuses such as `409`, classes such as `4xx,5xx`.
        status: Query<Option<String>>,
        /// Only these methods, with commas between.
        method: Query<Option<String>>,
        /// Only these, with commas between: `user`, `group`, `search`, `bulk`, `discovery`, `other`.
        resource: Query<Option<String>>,
        /// Not before this time, to the millisecond.
        after: Query<Option<OffsetDateTime>>,
        /// Before this time, to the millisecond.
        before: Query<Option<OffsetDateTime>>,
        /// Part of the sentence, the path, the token's id or the request id, without case.
        search: Query<Option<String>>,
    ) -> Answer<Listed<ScimRequestList>> {
        let asked = Asked {
            limit: limit.0,
            cursor: cursor.0,
            status: status.0,
            method: method.0,
            resource: resource.0,
            after: after.0,
            before: before.0,
            search: search.0,
        };
        asked.page(&caller, &organization_id, Some(&domain_id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_or_classes() {
        assert_eq!(statuses(Some("404, 5xx,,4XX")).unwrap(), [(404, 404), (500, 599), (400, 499)]);
        assert_eq!(statuses(None).unwrap(), []);
        for wrong in ["x", "6xx", "0xx", "99", "4x", "-4", "40 4", "4xxxx"] {
            assert!(statuses(Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(methods(Some("get,Patch")).unwrap(), ["GET", "PATCH"]);
        assert!(methods(Some("G ET")).is_err());
    }
}
