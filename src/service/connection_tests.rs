//! Test sign-ins: an administrator asks for a link, opens it in a browser, goes through the IdP, and sees what came, what
//! was read from it and what would happen. What the assertion consumer service does with such an attempt stands in
//! `sign_in::test`; it signs nobody in.
//!
//! A test that passed speaks for what the connection trusted at the time. When that changes, it is void.

pub use crate::store::connection_tests::ConnectionTest;

use super::connections::{self, Connection, drafts, facts};
use super::permissions::{Action, may};
use super::sign_in::{Begun, Going, prepare};
use super::{Ctx, Error, Services, sessions};
use crate::model::id::{ConnectionId, ConnectionTestId, OrganizationId};
use crate::model::secret::{Token, TokenKind};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::Certificate;
use crate::store;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// How long a link can be opened.
pub const LINK_LIFETIME: Duration = Duration::from_mins(10);

/// A test that is asked for.
#[derive(Debug)]
pub struct Asked {
    /// Where the administrator's browser goes; shown once.
    pub url: String,
    pub expires_at: Timestamp,
}

/// The newest test of a connection.
#[derive(Debug)]
pub struct Newest {
    pub test: Option<ConnectionTest>,
    /// Whether a test has passed of what the connection trusts now.
    pub passed: bool,
}

fn missing() -> Error {
    Error::not_found("SAML connection")
}

/// What a connection trusts, as a digest: the IdP's entity id, its address, its certificates and how it is read.
///
/// # Errors
/// [`Error::Internal`] for a row that cannot be read again.
pub fn trust(connection: &Connection) -> Result<String, Error> {
    let certificates = connections::active_certificates(connection)?;
    let mut fingerprints: Vec<&str> = certificates.iter().map(Certificate::fingerprint).collect();
    fingerprints.sort_unstable();
    let mapping = connections::attribute_mapping(connection)?;
    let trusted = json!([connection.idp_entity_id, connection.sso_url, fingerprints, mapping]);
    let digest = openssl::sha::sha256(trusted.to_string().as_bytes());
    Ok(digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to memory does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Asks for a test of a connection, or of its drafted change: the link is good for one browser, once, for
/// [`LINK_LIFETIME`].
///
/// # Errors
/// 409 `connection_incomplete` while the connection does not know its IdP; [`Error::Forbidden`].
pub async fn ask(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
    of_draft: bool,
) -> Result<Asked, Error> {
    let scope = may(ctx, organization, Action::WriteConnections)?;
    let connection = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    complete(&connection)?;
    if of_draft && drafts::tried(services, &connection, ctx.now).await?.is_none() {
        return Err(Error::not_found("draft of this SAML connection"));
    }
    let link = Token::generate(TokenKind::TestLink, &*services.random);
    let expires_at = ctx.now.plus(LINK_LIFETIME);
    let test = ConnectionTest {
        id: ConnectionTestId::new(ctx.now, &*services.random),
        organization_id: organization,
        connection_id: id,
        link_hash: link.hash(),
        created_at: ctx.now,
        expires_at,
        opened_at: None,
        finished_at: None,
        passed: false,
        trust: None,
        report: None,
        of_draft,
    };
    let tx = services.begin().await?;
    store::connection_tests::insert(&tx, test).await?;
    tx.commit().await?;
    let url = services.settings.url(&format!("/saml/{}/test?link={}", id.uuid(), link.reveal()));
    Ok(Asked { url, expires_at })
}

fn complete(connection: &Connection) -> Result<(), Error> {
    let lacking = facts::missing(connection);
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(
        "connection_incomplete",
        format!(
            "The connection does not know its IdP yet: {} missing. Give metadata_xml or these fields first.",
            lacking.join(", ")
        ),
    ))
}

/// Opens the link of a test: uses it up and begins an attempt that signs nobody in.
///
/// # Errors
/// [`Error::Gone`] `test_link_over` for a link that was opened before, is over, or never was one of this connection.
pub async fn open(
    services: &Services,
    ctx: &Ctx,
    connection: ConnectionId,
    link: Option<&str>,
    (browser, session): (Option<&str>, Option<&str>),
) -> Result<Begun, Error> {
    let over = || {
        Error::Gone {
        code: "test_link_over",
        message: "This link of a test sign-in was opened before, or is over: each is good once, for ten minutes. Ask for \
                  a new one."
            .to_owned(),
    }
    };
    let link = link.and_then(|text| Token::parse(TokenKind::TestLink, text)).ok_or_else(over)?;
    let test = store::connection_tests::find_by_link(&services.db, connection, &link.hash(), ctx.now).await?;
    let test = test.ok_or_else(over)?;
    let scope = TenantScope::established(test.organization_id);
    let mut row = store::connections::find(&services.db, scope, connection).await?.ok_or_else(over)?;
    if test.of_draft {
        row = drafts::tried(services, &row, ctx.now).await?.ok_or_else(over)?;
    }
    complete(&row)?;
    let session = sessions::of_cookie(services, session, ctx.now).await?;
    let going = Going {
        browser,
        session: session.map(|session| session.id),
        own_page: false,
        return_to: None,
        test: Some(test.id),
        step_up: false,
    };
    let (attempt, begun) = prepare(services, ctx, &row, going).await?;
    let tx = services.begin().await?;
    if !store::connection_tests::open(&tx, scope, test.id, ctx.now).await? {
        return Err(over());
    }
    store::sign_in_attempts::insert(&tx, attempt).await?;
    tx.commit().await?;
    Ok(begun)
}

/// The newest test of a connection, and whether what the connection trusts now has passed one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn newest(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<Newest, Error> {
    let scope = may(ctx, organization, Action::ReadConnections)?;
    let connection = store::connections::find(&services.db, scope, id).await?.ok_or_else(missing)?;
    let passed = store::connection_tests::has_passed(&services.db, scope, id, &trust(&connection)?).await?;
    Ok(Newest { test: store::connection_tests::newest(&services.db, scope, id).await?, passed })
}
