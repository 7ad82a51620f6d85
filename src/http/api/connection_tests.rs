//! `/api/v1/organizations/{organization_id}/saml-connections/{connection_id}/test`: a test sign-in, asked for and read.

use super::Tag;
use super::answer::{Answer, Listed};
use super::caller::Caller;
use super::dto::{Time, id};
use super::sign_ins::{AttributeView, as_seconds};
use crate::http::payload::Problem;
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::time::Timestamp;
use crate::service::connection_tests::{self, Asked, Newest};
use crate::service::sign_in::test::{Came, Foretold, Read, Report, Wrong};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

/// The link of a test sign-in.
#[derive(Object)]
#[oai(rename = "SamlTestLink")]
pub struct TestLinkView {
    /// Open it in a browser: it leads to the IdP, and the page after that says what came of it. Good once, and shown once.
    pub url: String,
    pub expires_at: Time,
}

/// Where a test stands.
#[derive(Enum)]
#[oai(rename = "SamlTestStatus", rename_all = "snake_case")]
pub enum TestStatus {
    /// Nobody has asked for one.
    None,
    /// Its link is not opened yet, or the IdP has not answered yet.
    Pending,
    /// Its link, or the time for the IdP's answer, is over.
    Unfinished,
    Passed,
    Failed,
}

/// A refusal.
#[derive(Object)]
#[oai(rename = "SamlTestRefusal")]
pub struct WrongView {
    pub code: String,
    /// What was expected and what was found.
    pub detail: String,
    /// What to change.
    pub next_step: String,
}

impl From<Wrong> for WrongView {
    fn from(wrong: Wrong) -> Self {
        Self { code: wrong.code, detail: wrong.detail, next_step: wrong.next_step }
    }
}

/// What came from the IdP. Values are masked unless the connection shows them.
#[derive(Object)]
#[oai(rename = "SamlTestResponse", skip_serializing_if_is_none)]
pub struct CameView {
    /// Whether the signature was right; else it is what somebody sent.
    pub verified: bool,
    pub issuer: Option<String>,
    pub certificate_sha256_fingerprint: Option<String>,
    pub signature_algorithm: Option<String>,
    pub clock_difference_seconds: Option<f64>,
    pub name_id: Option<String>,
    pub name_id_format: Option<String>,
    pub authn_context: Option<String>,
    pub attributes: Vec<AttributeView>,
}

impl From<Came> for CameView {
    fn from(came: Came) -> Self {
        Self {
            verified: came.verified,
            issuer: came.issuer,
            certificate_sha256_fingerprint: came.certificate,
            signature_algorithm: came.algorithm,
            clock_difference_seconds: came.clock_difference_ms.map(as_seconds),
            name_id: came.name_id,
            name_id_format: came.name_id_format,
            authn_context: came.authn_context,
            attributes: came.attributes.into_iter().map(AttributeView::from).collect(),
        }
    }
}

/// Who the response is about, as it was read. Values but the address are masked unless the connection shows them.
#[derive(Object)]
#[oai(rename = "SamlTestPerson", skip_serializing_if_is_none)]
pub struct ReadView {
    pub address: String,
    /// By what the person is known again.
    pub subject: String,
    /// Whether the subject never changes; else it is the address.
    pub immutable: bool,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    pub groups: Vec<String>,
}

impl From<Read> for ReadView {
    fn from(read: Read) -> Self {
        Self {
            address: read.address,
            subject: read.subject,
            immutable: read.immutable,
            given_name: read.given_name,
            family_name: read.family_name,
            display_name: read.display_name,
            groups: read.groups,
        }
    }
}

/// What a real sign-in of that person would have done.
#[derive(Object)]
#[oai(rename = "SamlTestOutcome", skip_serializing_if_is_none)]
pub struct ForetoldView {
    /// `sign_in`, `link`, `create`, `wait` (for an administrator who confirms the link) or `refuse`.
    pub action: String,
    pub sentence: String,
    pub role: Option<String>,
    pub refusal: Option<WrongView>,
}

impl From<Foretold> for ForetoldView {
    fn from(then: Foretold) -> Self {
        Self {
            action: then.action,
            sentence: then.sentence,
            role: then.role,
            refusal: then.refusal.map(WrongView::from),
        }
    }
}

/// The newest test sign-in of a connection.
#[derive(Object)]
#[oai(rename = "SamlTest", skip_serializing_if_is_none)]
pub struct TestView {
    pub status: TestStatus,
    /// Whether a test has passed of what the connection trusts now: its IdP's entity id and address, its certificates and
    /// its attribute mapping. Then it can be activated.
    pub current: bool,
    pub created_at: Option<Time>,
    pub finished_at: Option<Time>,
    /// By which the sign-in log has it.
    pub reference: Option<String>,
    /// Why it did not pass.
    pub refusal: Option<WrongView>,
    pub response: Option<CameView>,
    pub person: Option<ReadView>,
    pub would: Option<ForetoldView>,
    /// What works and should be looked at.
    pub warnings: Vec<String>,
}

impl TestView {
    fn new(caller: &Caller, newest: Newest) -> Answer<Self> {
        let mut view = Self {
            status: TestStatus::None,
            current: newest.passed,
            created_at: None,
            finished_at: None,
            reference: None,
            refusal: None,
            response: None,
            person: None,
            would: None,
            warnings: Vec::new(),
        };
        let Some(test) = newest.test else { return Ok(view) };
        let patience = caller.services().settings.attempt_lifetime;
        let until = test.opened_at.map_or(test.expires_at, |opened| opened.plus(patience));
        view.status = match (test.finished_at, test.passed) {
            (Some(_), true) => TestStatus::Passed,
            (Some(_), false) => TestStatus::Failed,
            (None, _) if until > caller.ctx.now => TestStatus::Pending,
            (None, _) => TestStatus::Unfinished,
        };
        view.created_at = Some(test.created_at.to_datetime());
        view.finished_at = test.finished_at.map(Timestamp::to_datetime);
        if let Some(report) = test.report {
            let report: Report = serde_json::from_value(report).map_err(|error| {
                tracing::error!(%error, test = %test.id, "the report of a test cannot be read again");
                Problem::internal()
            })?;
            view.reference = Some(report.reference);
            view.refusal = report.refusal.map(WrongView::from);
            view.response = report.came.map(CameView::from);
            view.person = report.read.map(ReadView::from);
            view.would = report.then.map(ForetoldView::from);
            view.warnings = report.warnings;
        }
        Ok(view)
    }
}

impl From<Asked> for TestLinkView {
    fn from(asked: Asked) -> Self {
        Self { url: asked.url, expires_at: asked.expires_at.to_datetime() }
    }
}

fn ids(caller: &Caller, organization: &str, connection: &str) -> Answer<(OrganizationId, ConnectionId)> {
    Ok((caller.organization(organization)?, id(connection)?))
}

pub struct ConnectionTestsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::SamlConnections")]
impl ConnectionTestsApi {
    /// Ask for a test sign-in
    ///
    /// The answer's `url` is opened in a browser within ten minutes, once. It goes to the IdP and back, and the page then says
    /// what came, what was read from it, and what would happen; nothing is made and nobody is signed in. A test that passed
    /// lets the connection be activated, until something that it trusts changes.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/test",
        method = "post",
        operation_id = "test_saml_connection"
    )]
    async fn ask(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Listed<TestLinkView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let asked =
            connection_tests::ask(caller.services(), &caller.ctx, organization, connection, false).await?;
        Ok(Listed::Ok(Json(asked.into())))
    }

    /// Read the newest test sign-in
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/test",
        method = "get",
        operation_id = "get_saml_connection_test"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Listed<TestView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let newest =
            connection_tests::newest(caller.services(), &caller.ctx, organization, connection).await?;
        Ok(Listed::Ok(Json(TestView::new(&caller, newest)?)))
    }
}
