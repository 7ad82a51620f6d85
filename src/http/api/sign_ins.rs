//! `/api/v1/organizations/{organization_id}/sign-ins`: the sign-in log, for whoever may read the SAML connections.

use super::Tag;
use super::answer::{Answer, Failure, Listed};
use super::caller::Caller;
use super::dto::{Time, id, id_field, page_request, parts, words};
use crate::model::id::SignInId;
use crate::model::page::Cursor;
use crate::model::sign_in::{SignInOutcome, SignInStep};
use crate::model::time::Timestamp;
use crate::service::Error;
use crate::service::sign_in_log::{self, Found, Seen, SignIn, SignInFilter, StepTold};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;

/// A step of a sign-in that was passed, or that failed.
#[derive(Object)]
#[oai(rename = "SignInStepTold")]
pub struct StepView {
    pub step: SignInStep,
    pub ok: bool,
    pub sentence: String,
}

impl From<StepTold> for StepView {
    fn from(told: StepTold) -> Self {
        Self { step: told.step, ok: told.ok, sentence: told.sentence }
    }
}

/// An attribute that came.
#[derive(Object)]
#[oai(rename = "SignInAttribute")]
pub struct AttributeView {
    pub name: String,
    /// How many values came.
    pub count: u64,
    /// The first of them: a letter and a length each, unless the entry is unmasked.
    pub values: Vec<String>,
}

impl From<Seen> for AttributeView {
    fn from(seen: Seen) -> Self {
        Self { name: seen.name, count: seen.count as u64, values: seen.values }
    }
}

/// How a sign-in ended.
#[derive(Object)]
#[oai(rename = "SignIn", skip_serializing_if_is_none)]
pub struct SignInView {
    /// TypeID, `sgn_…`.
    pub id: String,
    /// What people read on the page of a refusal, such as `K7QF-2M9D`.
    pub reference: String,
    pub outcome: SignInOutcome,
    /// Why it was refused; of a test, why it did not pass.
    pub code: Option<String>,
    /// What the code means, and what to do about it.
    pub code_url: Option<String>,
    /// What was expected and what was found.
    pub detail: Option<String>,
    /// What an administrator can do.
    pub next_step: Option<String>,
    pub connection_id: String,
    /// When the person was sent to the IdP; absent where no such request is known.
    pub started_at: Option<Time>,
    /// When the response was answered; absent if none came.
    pub finished_at: Option<Time>,
    /// The asserted address, of a verified assertion.
    pub address: Option<String>,
    /// Who was signed in.
    pub user_id: Option<String>,
    /// The session that began.
    pub session_id: Option<String>,
    /// Whether the member was made by it.
    pub member_created: bool,
    /// Whether the link was made by it.
    pub linked: bool,
    /// Where the response came from.
    pub ip: Option<String>,
    /// How many refusals at this connection were left out of the log since the one before, because too many came at once.
    pub left_out: u64,
}

/// How a sign-in ended, with all that is known of it.
#[derive(Object)]
#[oai(rename = "SignInDetails", skip_serializing_if_is_none)]
pub struct SignInDetails {
    #[oai(flatten)]
    pub entry: SignInView,
    /// Each step that was passed, and the one that failed.
    pub steps: Vec<StepView>,
    /// Whether what follows was signed by the IdP; else it is what somebody sent.
    pub verified: bool,
    /// Whether something in the response was encrypted.
    pub encrypted: bool,
    /// SHA-256 fingerprint of the certificate that verified the response; where none did, of the one that came with it.
    pub certificate_sha256_fingerprint: Option<String>,
    /// Such as `rsa-sha256`.
    pub signature_algorithm: Option<String>,
    /// How far the IdP's clock was ahead of ours, by the assertion's `IssueInstant`.
    pub clock_difference_seconds: Option<f64>,
    pub issuer: Option<String>,
    pub name_id_format: Option<String>,
    /// How the person signed in at the IdP (AuthnContextClassRef).
    pub authn_context: Option<String>,
    pub attributes: Vec<AttributeView>,
    /// Whether values are shown; see `unmask_sign_in_attributes` of the connection.
    pub unmasked: bool,
    /// The browser, guessed from its `User-Agent`.
    pub browser: Option<String>,
    pub user_agent: Option<String>,
    /// The answer's `X-Request-Id`.
    pub request_id: Option<String>,
}

impl SignInView {
    fn new(caller: &Caller, row: &SignIn) -> Self {
        let url = |code: &String| caller.services().settings.url(&format!("/problems/{code}"));
        Self {
            id: row.id.to_string(),
            reference: row.reference.clone(),
            outcome: row.outcome,
            code_url: row.code.as_ref().map(url),
            code: row.code.clone(),
            detail: row.detail.clone(),
            next_step: row.next_step.clone(),
            connection_id: row.connection_id.to_string(),
            started_at: row.started_at.map(Timestamp::to_datetime),
            finished_at: row.finished_at.map(Timestamp::to_datetime),
            address: row.address.clone(),
            user_id: row.user_id.map(|id| id.to_string()),
            session_id: row.session_id.map(|id| id.to_string()),
            member_created: row.created,
            linked: row.linked,
            ip: row.ip.clone(),
            left_out: u64::try_from(row.left_out).unwrap_or(0),
        }
    }
}

/// Milliseconds as seconds; what a double cannot hold is years away.
pub(super) fn as_seconds(milliseconds: i64) -> f64 {
    let bounded = milliseconds.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    f64::from(i32::try_from(bounded).unwrap_or(0)) / 1_000.0
}

impl SignInDetails {
    fn new(caller: &Caller, row: &SignIn) -> Self {
        let attributes: Vec<Seen> =
            row.attributes.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self {
            entry: SignInView::new(caller, row),
            steps: sign_in_log::steps(row).into_iter().map(StepView::from).collect(),
            verified: row.verified,
            encrypted: row.encrypted,
            certificate_sha256_fingerprint: row.certificate.clone(),
            signature_algorithm: row.algorithm.clone(),
            clock_difference_seconds: row.clock_difference_ms.map(as_seconds),
            issuer: row.issuer.clone(),
            name_id_format: row.name_id_format.clone(),
            authn_context: row.authn_context.clone(),
            attributes: attributes.into_iter().map(AttributeView::from).collect(),
            unmasked: row.unmasked,
            browser: row.user_agent.as_deref().and_then(browser),
            user_agent: row.user_agent.clone(),
            request_id: Some(row.request_id.clone()).filter(|id| !id.is_empty()),
        }
    }
}

/// Guesses a browser and its system: `Firefox on Windows`. The order matters: each calls itself by the names of those
/// before it.
fn browser(agent: &str) -> Option<String> {
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("iPhone", "iOS"),
        ("iPad", "iPadOS"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let named = |list: &[(&str, &'static str)]| {
        list.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

/// One page of the log.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SignInList {
    /// The rows. Where the log is narrowed, one page looks through at most 10,000 entries, so that it may have few rows
    /// or none and go on nevertheless: while there is a `next_cursor`, the end of the log was not reached.
    pub data: Vec<SignInView>,
    /// Give it as `cursor` for the next page; absent at the end of the log.
    pub next_cursor: Option<String>,
}

impl SignInList {
    fn new(caller: &Caller, page: &Found) -> Self {
        Self {
            data: page.entries.iter().map(|row| SignInView::new(caller, row)).collect(),
            next_cursor: page.next.map(|id| Cursor::after_id(id.uuid()).encode()),
        }
    }
}

/// Whether the oldest come first.
fn oldest_first(order_by: Option<&str>) -> Result<bool, Failure> {
    match order_by {
        None | Some("-created_at") => Ok(false),
        Some("created_at") => Ok(true),
        Some(other) => {
            let message = format!("{other:?} was given; created_at or -created_at was expected.");
            Err(Error::field("order_by", "invalid_choice", message).into())
        }
    }
}

pub struct SignInsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::SamlConnections")]
impl SignInsApi {
    /// List sign-ins
    ///
    /// Every sign-in through the organization's SAML connections with how it ended, newest first. Of refusals that used up
    /// no sign-in of their own browser (a stranger's, for example), 30 a minute are kept of each connection.
    #[oai(path = "/:organization_id/sign-ins", method = "get", operation_id = "list_sign_ins")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// `-created_at`, the newest first, or `created_at`.
        order_by: Query<Option<String>>,
        /// Only these, with commas between: `signed_in`, `refused`, `abandoned`, `test`.
        outcome: Query<Option<String>>,
        /// Only those refused with these codes, with commas between.
        code: Query<Option<String>>,
        /// Only those through this connection.
        connection_id: Query<Option<String>>,
        /// Only those of this user.
        user_id: Query<Option<String>>,
        /// Only the one with this reference.
        reference: Query<Option<String>>,
        /// Part of the address, without case.
        search: Query<Option<String>>,
        /// Not before this time, to the millisecond.
        after: Query<Option<OffsetDateTime>>,
        /// Before this time, to the millisecond.
        before: Query<Option<OffsetDateTime>>,
    ) -> Answer<Listed<SignInList>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), None, "id")?;
        let cursor = request.cursor.as_ref().map(|cursor| SignInId(cursor.id));
        let filter = SignInFilter {
            outcomes: words::<SignInOutcome>("outcome", outcome.0.as_deref())?,
            codes: parts("code", code.0.as_deref())?.into_iter().map(str::to_owned).collect(),
            connection: connection_id.0.as_deref().map(|text| id_field("connection_id", text)).transpose()?,
            user: user_id.0.as_deref().map(|text| id_field("user_id", text)).transpose()?,
            reference: reference.0.map(|text| text.trim().to_uppercase()).filter(|text| !text.is_empty()),
            search: search.0.filter(|text| !text.is_empty()),
            after: after.0.map(Into::into),
            before: before.0.map(Into::into),
            oldest_first: oldest_first(order_by.0.as_deref())?,
        };
        let (services, ctx) = (caller.services(), &caller.ctx);
        let page = sign_in_log::list(services, ctx, organization, &filter, cursor, request.limit()).await?;
        Ok(Listed::Ok(Json(SignInList::new(&caller, &page))))
    }

    /// Read a sign-in
    ///
    /// With each of its steps, and what is known of the response.
    #[oai(path = "/:organization_id/sign-ins/:sign_in_id", method = "get", operation_id = "get_sign_in")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        sign_in_id: Path<String>,
    ) -> Answer<Listed<SignInDetails>> {
        let organization = caller.organization(&organization_id)?;
        let row = sign_in_log::find(caller.services(), &caller.ctx, organization, id(&sign_in_id)?).await?;
        Ok(Listed::Ok(Json(SignInDetails::new(&caller, &row))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_guessed_by_what_only_they_say() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome).as_deref(), Some("Chrome on Windows"));
        assert_eq!(browser(&format!("{chrome} Edg/141.0.0.0")).as_deref(), Some("Edge on Windows"));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(browser(phone).as_deref(), Some("Safari on iOS"));
        assert_eq!(browser("curl/8.5.0"), None);
        assert!((as_seconds(-1_500) + 1.5).abs() < 1e-9);
    }
}
