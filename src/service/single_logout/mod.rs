//! Single logout: signing out here and at the IdP, whichever of them is asked first.
//!
//! Who signs out here is signed out here before anything else; then the browser carries a signed request to the IdP the
//! session came from, if that takes part, and its answer back to a page. What the IdP asks for is done only if its key
//! signed it: sessions are found by how the IdP names person and session, at its own connection, so that it reaches nobody
//! else's. A message is good for once and for minutes, and an answer only in the browser that asked.

mod refusal;

use super::cache::KnownConnection;
use super::permissions::{Action, may};
use super::sign_in::Refusal;
use super::sign_in::verify;
use super::{Ctx, Error, Services, connections, me, saml_keys, sessions};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, OrganizationId, SessionId};
use crate::model::saml::SamlKeyPurpose;
use crate::model::secret::{Token, TokenHash, TokenKind};
use crate::model::state::{ConnectionStatus, SloBinding};
use crate::model::tenant::TenantScope;
use crate::protocol::saml::logout::{
    LogoutAsked, LogoutMessage, LogoutOutcome, NameIdAttributes, Saying, Sending, message_id,
};
use crate::protocol::saml::{
    ArrivedLogout, LogoutBinding, LogoutExpectations, LogoutRefusal, RequestKey, VerifiedLogout,
};
use crate::store::connections::{Connection, Versions};
use crate::store::error::{StoreError, UniqueKey};
use crate::store::logout_requests::LogoutRequest;
use crate::store::sessions::Session;
use crate::store::{self, Tx};
use refusal::{Reason, refuse};
use serde_json::json;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many messages are verified at once: it is all CPU.
static VERIFYING: Semaphore = Semaphore::const_new(2);
/// How long a message may wait for its turn, and then for its verdict.
const WITHIN: Duration = Duration::from_secs(10);
/// Names of sessions are kept up to here, see the sign-in.
const LONGEST_KEPT: usize = 1024;

/// Somebody who signed out here.
#[derive(Debug)]
pub struct SignedOut {
    /// The request to the IdP, and what the browser's binding cookie must hold for the answer.
    pub onward: Option<(Sending, Token)>,
}

/// A message that came to the single logout URL of a connection.
pub struct Arrival<'a> {
    /// The connection that the address names.
    pub connection: ConnectionId,
    pub message: Result<ArrivedLogout, LogoutRefusal>,
    /// The browser's binding cookie.
    pub browser: Option<&'a str>,
    /// The browser's session cookie, where it came along.
    pub session: Option<&'a str>,
    /// What the browser calls itself.
    pub user_agent: Option<&'a str>,
}

/// What became of it.
#[derive(Debug)]
pub enum Handled {
    /// The IdP's request was done.
    Ended {
        /// Our answer to it, unless it takes none.
        answer: Option<Sending>,
        /// Whether the session of this very browser was among them.
        own: bool,
    },
    /// The IdP answered a request of ours.
    Answered(LogoutOutcome),
    /// It was refused, and written down already.
    Refused(Refusal),
}

/// Ends the session that the caller shows, and others of the same session at the IdP; then asks the IdP to end its own, if
/// the session came from one that takes part. That the IdP cannot be asked keeps nobody signed in here.
///
/// # Errors
/// [`Error::Forbidden`] `session_required` for a key, which has no session.
pub async fn sign_out(services: &Services, ctx: &Ctx, browser: Option<&str>) -> Result<SignedOut, Error> {
    let Actor::Person { organization, session, .. } = &ctx.actor else { return Err(me::not_signed_in()) };
    let scope = may(ctx, *organization, Action::ReadOrganization)?;
    let row = store::sessions::find(&services.db, scope, *session, ctx.now).await?;
    let leaving = match &row {
        Some(row) => leaving(services, ctx, scope, row, browser).await.unwrap_or_else(|error| {
            tracing::error!(%error, session = %row.id, "the IdP cannot be asked to log somebody out");
            None
        }),
        None => None,
    };
    let tx = services.begin().await?;
    let ended = end(services, &tx, ctx, *organization, *session, "signed_out").await?;
    if let Some(row) = row {
        for other in of_same_idp_session(&tx, ctx, scope, &row).await? {
            end(services, &tx, ctx, *organization, other, "signed_out").await?;
        }
    }
    // Whoever came first has asked the IdP.
    let onward = match leaving.filter(|_| ended) {
        Some((request, sending, browser)) => {
            store::logout_requests::insert(&tx, request).await?;
            Some((sending, browser))
        }
        None => None,
    };
    tx.commit().await?;
    Ok(SignedOut { onward })
}

/// Ends one session, with its event.
async fn end(
    services: &Services,
    tx: &Tx,
    ctx: &Ctx,
    organization: OrganizationId,
    session: SessionId,
    because: &str,
) -> Result<bool, Error> {
    let ended = store::sessions::end(tx, TenantScope::established(organization), session, ctx.now).await?;
    if ended {
        let data = json!({ "because": because });
        services.record(tx, ctx, organization, EventKind::SessionEnded, session, data).await?;
    }
    Ok(ended)
}

/// Other sessions here that were made by the same session at the IdP.
async fn of_same_idp_session(
    tx: &Tx,
    ctx: &Ctx,
    scope: TenantScope,
    row: &Session,
) -> Result<Vec<SessionId>, Error> {
    let (Some(connection), Some(key), Some(index)) =
        (row.connection_id, &row.name_id_key, &row.session_index)
    else {
        return Ok(Vec::new());
    };
    let found = store::sessions::find_of_name_id(tx, scope, connection, key, ctx.now).await?;
    let same =
        found.into_iter().filter(|other| other.id != row.id && other.session_index.as_ref() == Some(index));
    Ok(same.map(|other| other.id).collect())
}

/// The request to the IdP that the session came from; `None` if it takes no part in logging out.
async fn leaving(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    session: &Session,
    browser: Option<&str>,
) -> Result<Option<(LogoutRequest, Sending, Token)>, Error> {
    let (Some(id), Some(name_id)) = (session.connection_id, &session.name_id) else { return Ok(None) };
    let Some(connection) = store::connections::find(&services.db, scope, id).await? else { return Ok(None) };
    let Some(destination) = &connection.slo_url else { return Ok(None) };
    if connection.status != ConnectionStatus::Active {
        return Ok(None);
    }
    let attributes: NameIdAttributes = match &session.name_id_attributes {
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Error::Internal(format!("the NameID of {} cannot be read: {error}", session.id))
        })?,
        None => NameIdAttributes::default(),
    };
    let key = signing_key(services, &connection, ctx).await?;
    let request = new_id(services);
    let saying =
        Saying::Request { name_id, attributes: &attributes, session_index: session.session_index.as_deref() };
    let sending = send(services, &connection, ctx, (&request, destination), saying, None, &key)?;
    let browser = browser
        .and_then(|text| Token::parse(TokenKind::Browser, text))
        .unwrap_or_else(|| Token::generate(TokenKind::Browser, &*services.random));
    let row = LogoutRequest {
        request_hash: TokenHash::of_request_id(&request),
        organization_id: connection.organization_id,
        connection_id: connection.id,
        session_id: session.id,
        browser_hash: browser.hash(),
        created_at: ctx.now,
        expires_at: ctx.now.plus(services.settings.attempt_lifetime),
        answered_at: None,
    };
    Ok(Some((row, sending, browser)))
}

fn new_id(services: &Services) -> String {
    let mut bits = [0_u8; 20];
    services.random.fill(&mut bits);
    message_id(bits)
}

/// What log-out messages are signed with; the connection's first key is made by this.
async fn signing_key(services: &Services, connection: &Connection, ctx: &Ctx) -> Result<RequestKey, Error> {
    let known = verify::known(services, connection.id, Some(Versions::of(connection))).await?;
    if let Some(key) = known.and_then(|known| known.keys.request.clone()) {
        return Ok(key);
    }
    saml_keys::ensure(services, connection, SamlKeyPurpose::Signing, ctx.now).await?;
    let key = saml_keys::open(services, connection).await?.request;
    key.ok_or_else(|| Error::Internal(format!("{} has no key to sign with", connection.id)))
}

/// A message of ours on its way, by the binding of the IdP.
fn send(
    services: &Services,
    connection: &Connection,
    ctx: &Ctx,
    (id, destination): (&str, &str),
    saying: Saying<'_>,
    relay_state: Option<&str>,
    key: &RequestKey,
) -> Result<Sending, Error> {
    let urls = connections::sp_urls(&services.settings, connection.id);
    let binding = match connection.slo_binding {
        Some(SloBinding::Post) => LogoutBinding::Post,
        Some(SloBinding::Redirect) | None => LogoutBinding::Redirect,
    };
    let message = LogoutMessage {
        id,
        issue_instant: ctx.now.to_datetime(),
        sp_entity_id: &urls.entity_id,
        destination,
        saying,
    };
    let unusable = |error| Error::Internal(format!("{} cannot be used to log out: {error}", connection.id));
    message.send(binding, relay_state, key).map_err(unusable)
}

/// Handles a message of the IdP.
///
/// # Errors
/// [`Error::NotFound`] if no connection has this id; [`Error::Unavailable`] if the database is away or too many messages
/// wait to be verified. Everything else is a [`Handled::Refused`].
pub async fn handle(services: &Services, ctx: &Ctx, arrival: Arrival<'_>) -> Result<Handled, Error> {
    let known = verify::known(services, arrival.connection, None).await?;
    let known = known.ok_or_else(|| Error::not_found("SAML connection"))?;
    let done = match &arrival.message {
        Ok(message) => take(services, ctx, &known, &arrival, message).await,
        Err(refusal) => Err(Stop::Refused(Reason::Message(refusal.clone()))),
    };
    match done {
        Ok(handled) => Ok(handled),
        Err(Stop::Refused(reason)) => {
            Ok(Handled::Refused(refuse(services, ctx, &known, &arrival, &reason).await?))
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

enum Stop {
    Refused(Reason),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

async fn take(
    services: &Services,
    ctx: &Ctx,
    known: &KnownConnection,
    arrival: &Arrival<'_>,
    message: &ArrivedLogout,
) -> Result<Handled, Stop> {
    let connection = &known.row;
    let organization = connection.organization_id;
    // The connection named by the address is what names the tenant here, and its IdP has to prove itself.
    let scope = TenantScope::established(organization);
    let verified = prove(services, ctx, known, message).await?;
    let ctx = ctx.acting(Actor::Idp { connection: connection.id, organization });
    match verified {
        VerifiedLogout::Asked(asked) => {
            let ended = end_asked(services, &ctx, scope, connection, &asked).await?;
            let present = arrival.session.and_then(|text| Token::parse(TokenKind::Session, text));
            let own = present.is_some_and(|token| ended.contains(&token.hash()));
            let answer = answer(services, &ctx, connection, &asked.id, message.relay_state()).await?;
            Ok(Handled::Ended { answer, own })
        }
        VerifiedLogout::Answered { in_response_to, outcome } => {
            answered(services, &ctx, scope, connection, arrival, (&in_response_to, &outcome)).await?;
            Ok(Handled::Answered(outcome))
        }
    }
}

/// What the IdP has truly said, if it was the IdP.
async fn prove(
    services: &Services,
    ctx: &Ctx,
    known: &KnownConnection,
    message: &ArrivedLogout,
) -> Result<VerifiedLogout, Stop> {
    let skew = services.settings.clock_skew;
    let expected = LogoutExpectations {
        idp_entity_id: known.row.idp_entity_id.clone(),
        slo_url: connections::sp_urls(&services.settings, known.row.id).slo_url,
        certificates: known.certificates.clone(),
        clock_skew: time::Duration::try_from(skew).unwrap_or(time::Duration::MINUTE),
    };
    let (message, verifier, now) = (message.clone(), services.verifier.clone(), ctx.now.to_datetime());
    let unavailable = || {
        Stop::Failed(Error::Unavailable {
            code: "verification_busy",
            message: "Log-out messages cannot be verified at the moment. Nothing was changed; try again in a moment."
                .to_owned(),
        })
    };
    let verdict = tokio::time::timeout(WITHIN, async {
        let turn = VERIFYING.acquire().await;
        tokio::task::spawn_blocking(move || {
            let verdict = message.verify(&verifier, &expected, now);
            drop(turn);
            verdict
        })
        .await
    });
    match verdict.await {
        Ok(Ok(Ok(verified))) => Ok(verified),
        Ok(Ok(Err(LogoutRefusal::Unavailable(problem)))) => {
            tracing::error!(%problem, "signatures cannot be verified");
            Err(unavailable())
        }
        Ok(Ok(Err(refusal))) => Err(Stop::Refused(Reason::Message(refusal))),
        Ok(Err(panic)) => {
            tracing::error!(%panic, "the verification of a log-out message panicked");
            let problem = "it could not be read".to_owned();
            Err(Stop::Refused(Reason::Message(LogoutRefusal::Malformed { problem })))
        }
        Err(_) => Err(unavailable()),
    }
}

/// Ends the sessions that the IdP named, in one transaction with the use of its request; gives their hashes.
async fn end_asked(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    connection: &Connection,
    asked: &LogoutAsked,
) -> Result<Vec<TokenHash>, Stop> {
    let tx = services.begin().await?;
    // No ID has a colon, so a request is never taken for an assertion.
    let used = format!("logout:{}", asked.id);
    let until = asked.replay_until.into();
    match store::sign_in_attempts::use_assertion(&tx, connection.id, &used, until).await {
        Err(StoreError::Conflict(UniqueKey::UsedAssertion)) => return Err(Stop::Refused(Reason::Replayed)),
        other => other?,
    }
    let key = sessions::name_id_key(connection.id, &asked.name_id.value);
    let found = store::sessions::find_of_name_id(&tx, scope, connection.id, &key, ctx.now).await?;
    let mut ended = Vec::new();
    for session in found {
        let named = session.session_index.as_deref();
        let is_meant = asked.session_indexes.is_empty()
            || asked.session_indexes.iter().any(|index| Some(&*cut(index)) == named);
        let attributes =
            session.name_id_attributes.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let attributes: NameIdAttributes = attributes.unwrap_or_default();
        if is_meant
            && attributes.fits(&asked.name_id.attributes)
            && end(services, &tx, ctx, connection.organization_id, session.id, "single_logout").await?
        {
            ended.push(session.hash);
        }
    }
    tx.commit().await?;
    Ok(ended)
}

/// As it is kept with a session.
fn cut(text: &str) -> String {
    text.chars().take(LONGEST_KEPT).collect()
}

/// Our answer to the IdP's request; `None` if it has no address for one.
async fn answer(
    services: &Services,
    ctx: &Ctx,
    connection: &Connection,
    request: &str,
    relay_state: Option<&str>,
) -> Result<Option<Sending>, Stop> {
    let to = connection.slo_response_url.as_ref().or(connection.slo_url.as_ref());
    let Some(destination) = to else { return Ok(None) };
    let key = signing_key(services, connection, ctx).await?;
    let saying = Saying::Done { in_response_to: request };
    let sending =
        send(services, connection, ctx, (&new_id(services), destination), saying, relay_state, &key)?;
    Ok(Some(sending))
}

/// Takes the IdP's answer: to a request of this browser at this connection, once. What was not complete is an event.
async fn answered(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    connection: &Connection,
    arrival: &Arrival<'_>,
    (in_response_to, outcome): (&str, &LogoutOutcome),
) -> Result<(), Stop> {
    let refused = |why| Stop::Refused(Reason::Unknown(why));
    let hash = TokenHash::of_request_id(in_response_to);
    let tx = services.begin().await?;
    let request = store::logout_requests::find(&tx, scope, connection.id, &hash).await?;
    let request = request.ok_or_else(|| refused("the answer is to no log-out request of this connection"))?;
    let browser = arrival.browser.and_then(|text| Token::parse(TokenKind::Browser, text));
    if browser.is_none_or(|browser| browser.hash() != request.browser_hash) {
        return Err(refused("another browser made the request that is answered, or this one kept no cookie"));
    }
    if request.expires_at <= ctx.now {
        return Err(refused("the request that is answered is over"));
    }
    if !store::logout_requests::answer(&tx, scope, connection.id, &hash, ctx.now).await? {
        return Err(refused("the request was answered before"));
    }
    let status = match outcome {
        LogoutOutcome::Complete => None,
        LogoutOutcome::Partial => Some("PartialLogout"),
        LogoutOutcome::Failed { status } => Some(&**status),
    };
    if let Some(status) = status {
        let data = json!({ "status": status, "session": request.session_id });
        let kind = EventKind::SingleLogoutIncomplete;
        services.record(&tx, ctx, connection.organization_id, kind, connection.id, data).await?;
    }
    tx.commit().await?;
    Ok(())
}
