//! Signing in through a SAML connection: from an address to the IdP ([`begin`]), and from what the IdP posts back to
//! a session ([`complete`]).
//!
//! What is posted is verified before any transaction; then one transaction uses up the attempt and the assertion,
//! finds or makes the person ([`person`]) and makes the session; of somebody well known all this is one statement
//! ([`known`]). A refusal undoes all of that and is written down in
//! a transaction of its own, under a reference that the page shows.

pub mod codes;
mod groups;
mod known;
pub mod logout_codes;
mod person;
mod record;
pub mod refusal;
mod return_to;
mod step_up;
pub mod test;
mod unsolicited;
pub(in crate::service) mod verify;

pub use refusal::{Reason, Refusal};
pub use return_to::{ReturnTo, ReturnToError};
pub use test::Tested;

use super::cache::{KnownConnection, KnownWaysIn};
use super::enforcement::Permit;
use super::sessions::{self, Opening, Session};
use super::sign_in_log::Ending;
use super::{Ctx, Error, Services, connections, discovery};
use crate::model::actor::Actor;
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{ConnectionId, ConnectionTestId, SessionId, SignInAttemptId, UserId};
use crate::model::saml::SamlNameIdFormat;
use crate::model::secret::{Token, TokenHash, TokenKind};
use crate::model::state::{ConnectionStatus, SignInMethod};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::{AuthnRequest, PostedResponse, SamlRefusal, VerifiedAssertion, request_id};
use crate::store::connections::Connection;
use crate::store::error::{StoreError, UniqueKey};
use crate::store::sign_in_attempts::SignInAttempt;
use crate::store::{self, Tx};
use record::Record;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use verify::Verified;

/// How often a transaction is begun again after two sign-ins met.
const TRIES: u32 = 4;
/// Texts of the IdP that are kept with a session are cut here.
const LONGEST_KEPT: usize = 1024;

/// What begins a sign-in.
#[derive(Debug)]
pub struct Start<'a> {
    pub address: &'a EmailAddress,
    /// The way that was chosen, where there are several.
    pub chosen: Option<ConnectionId>,
    /// The way that was taken last in this browser; counts where nothing was chosen.
    pub remembered: Option<ConnectionId>,
    /// Where to go afterwards.
    pub return_to: Option<ReturnTo>,
    /// The browser's binding cookie, if it has one already: several attempts share it.
    pub browser: Option<&'a str>,
    /// The browser's session cookie.
    pub session: Option<&'a str>,
    /// Whether the request provably came from a form of ours.
    pub own_page: bool,
}

/// What becomes of somebody who wants to sign in.
#[derive(Debug)]
pub enum Beginning {
    /// To the IdP.
    Begun(Begun),
    /// One of several ways has to be chosen first.
    Choose(KnownWaysIn),
    /// Nobody signs in through SAML at this domain.
    NoWay,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub redirect: String,
    /// What the browser's binding cookie must hold.
    pub browser: Token,
    /// The way to remember, where there were several.
    pub remember: Option<ConnectionId>,
}

/// Begins a sign-in: writes the attempt down and gives the IdP's address with the request in it. Nothing here depends
/// on more of the address than its domain (rule 17).
///
/// # Errors
/// Those of the database; [`Error::Internal`] if the connection's sign-on address is unusable, which activation
/// prevents.
pub async fn begin(services: &Services, ctx: &Ctx, start: Start<'_>) -> Result<Beginning, Error> {
    let Some(known) = discovery::ways_in(services, start.address.domain()).await? else {
        return Ok(Beginning::NoWay);
    };
    let among = |wanted: Option<ConnectionId>| known.ways.iter().find(|way| Some(way.connection) == wanted);
    let way = match &known.ways[..] {
        [only] => only,
        _ => match among(start.chosen).or_else(|| among(start.remembered)) {
            Some(way) => way,
            None => return Ok(Beginning::Choose(known)),
        },
    };
    let remember = (known.ways.len() > 1).then_some(way.connection);
    let scope = TenantScope::established(known.organization);
    let connection = store::connections::find(&services.db, scope, way.connection).await?;
    let Some(connection) = connection.filter(|found| found.status == ConnectionStatus::Active) else {
        return Ok(Beginning::NoWay);
    };
    let session = sessions::of_cookie(services, start.session, ctx.now).await?;
    let going = Going {
        browser: start.browser,
        session: session.map(|session| session.id),
        own_page: start.own_page,
        return_to: start.return_to,
        test: None,
        step_up: false,
    };
    let (attempt, begun) = prepare(services, ctx, &connection, going).await?;
    let tx = services.begin().await?;
    store::sign_in_attempts::insert(&tx, attempt).await?;
    tx.commit().await?;
    Ok(Beginning::Begun(Begun { remember, ..begun }))
}

/// Somebody on the way to the IdP.
pub(super) struct Going<'a> {
    /// The browser's binding cookie, if it has one already.
    pub browser: Option<&'a str>,
    /// Who is signed in in this browser.
    pub session: Option<SessionId>,
    pub own_page: bool,
    pub return_to: Option<ReturnTo>,
    /// The test that this is, if it is one.
    pub test: Option<ConnectionTestId>,
    /// Whether it is only to show that the person of the session is there.
    pub step_up: bool,
}

/// An attempt that is still to be written, and where to send the browser.
///
/// # Errors
/// Those of the database; [`Error::Internal`] if the connection's sign-on address is unusable.
pub(super) async fn prepare(
    services: &Services,
    ctx: &Ctx,
    connection: &Connection,
    going: Going<'_>,
) -> Result<(SignInAttempt, Begun), Error> {
    let browser = going
        .browser
        .and_then(|text| Token::parse(TokenKind::Browser, text))
        .unwrap_or_else(|| Token::generate(TokenKind::Browser, &*services.random));
    let mut bits = [0_u8; 20];
    services.random.fill(&mut bits);
    let request = request_id(bits);
    let attempt = SignInAttempt {
        id: SignInAttemptId::new(ctx.now, &*services.random),
        organization_id: connection.organization_id,
        connection_id: connection.id,
        request_hash: TokenHash::of_request_id(&request),
        browser_hash: browser.hash(),
        session_id: going.session,
        own_page: going.own_page,
        return_to: going.return_to.map(ReturnTo::into_string),
        created_at: ctx.now,
        expires_at: ctx.now.plus(services.settings.attempt_lifetime),
        consumed_at: None,
        outcome: None,
        detail: None,
        test_id: going.test,
        step_up: going.step_up,
    };
    let urls = connections::sp_urls(&services.settings, connection.id);
    let key = verify::request_key(services, connection, ctx.now).await?;
    let redirect = AuthnRequest {
        id: &request,
        issue_instant: ctx.now.to_datetime(),
        sp_entity_id: &urls.entity_id,
        acs_url: &urls.acs_url,
        sso_url: &connection.sso_url,
        force_authn: connection.force_authn || going.step_up,
        name_id_format: connection.name_id_format.map(SamlNameIdFormat::uri),
        authn_contexts: &connections::options::authn_contexts(connection)?,
        key: key.as_ref(),
    }
    // The state is a key of ours that nothing is read from: what the browser may do follows from its cookie.
    .redirect_url(Some(&attempt.id.uuid().simple().to_string()))
    .map_err(|error| Error::Internal(format!("{} cannot be used: {error}", connection.id)))?;
    Ok((attempt, Begun { redirect: redirect.into(), browser, remember: None }))
}

/// What arrived at an assertion consumer service.
pub struct Posted<'a> {
    /// The connection that the address names.
    pub connection: ConnectionId,
    /// The value of the form field `SAMLResponse`.
    pub response: String,
    /// The value of the form field `RelayState`.
    pub relay_state: Option<String>,
    /// The browser's binding cookie.
    pub browser: Option<&'a str>,
    /// The browser's session cookie, where it came along.
    pub session: Option<&'a str>,
    /// Tells for how long nothing is decrypted for the connection, because too much of late could not be. Asked for
    /// encrypted assertions only.
    pub no_decryption_for: &'a (dyn Fn() -> Option<Duration> + Send + Sync),
    /// What the browser calls itself.
    pub user_agent: Option<&'a str>,
}

/// How a sign-in ended.
#[derive(Debug)]
pub enum Outcome {
    /// In a session.
    SignedIn {
        /// The session's secret.
        token: Token,
        /// Where to go now.
        return_to: Option<String>,
    },
    /// In a refusal, written down already.
    Refused(Refusal),
    /// It was a test, and nobody was signed in.
    Tested(Box<Tested>),
    /// In the session that there was, whose person has shown to be there.
    SteppedUp {
        /// Where to go now.
        return_to: Option<String>,
    },
}

/// What stops a sign-in.
enum Stop {
    Refused(Reason),
    Store(StoreError),
    Failed(Error),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<SamlRefusal> for Stop {
    fn from(refusal: SamlRefusal) -> Self {
        Self::Refused(Reason::Saml(refusal))
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What is known of a sign-in so far, for the record.
#[derive(Default)]
struct Trace {
    attempt: Option<SignInAttempt>,
    /// Whether the attempt was begun by this very browser: only then a refusal uses it up.
    own: bool,
    /// The response, as soon as it can be read.
    response: Option<Arc<PostedResponse>>,
    /// What the IdP has truly said.
    assertion: Option<VerifiedAssertion>,
    /// Who it would have been, by that.
    address: Option<EmailAddress>,
    /// How it went to the end.
    admitted: Option<Admitted>,
}

impl Trace {
    /// The test that this is, in the browser that began it.
    fn test(&self) -> Option<ConnectionTestId> {
        self.attempt.as_ref().filter(|_| self.own)?.test_id
    }
}

/// How somebody was let in.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    user: UserId,
    session: SessionId,
    /// Whether the member was made by it, and the link.
    created: bool,
    linked: bool,
}

/// Completes a sign-in.
///
/// # Errors
/// [`Error::NotFound`] if no connection has this id; [`Error::RateLimited`] for an encrypted assertion while nothing is
/// decrypted for the connection; [`Error::Unavailable`] if the database is away or too many
/// responses wait to be verified. Everything else is an [`Outcome::Refused`], or an [`Outcome::Tested`].
pub async fn complete(services: &Services, ctx: &Ctx, posted: Posted<'_>) -> Result<Outcome, Error> {
    let Posted { connection, response, relay_state, browser, session, no_decryption_for, user_agent } =
        posted;
    // Which attempt it is about is read before the connection is: one question to the database finds both.
    let read = verify::read_posted(response).await;
    let request = read.as_ref().ok().and_then(PostedResponse::in_response_to);
    let (version, attempt) = if let Some(request) = request {
        let hash = TokenHash::of_request_id(request);
        let found = store::connections::find_version_and_attempt(&services.db, connection, &hash).await?;
        found.map_or((None, None), |(version, attempt)| (Some(version), attempt))
    } else {
        (None, None)
    };
    let Some(mut known) = verify::known(services, connection, version).await? else {
        return Err(Error::not_found("SAML connection"));
    };
    if let Some(test) = attempt.as_ref().and_then(|attempt| attempt.test_id) {
        known = Box::pin(connections::drafts::known_for(services, known, test, ctx.now)).await?;
    }
    let mut trace = Trace { attempt, ..Trace::default() };
    let brought = Brought { browser, session, relay_state, no_decryption_for };
    let ended = enter(services, ctx, &known, read, brought, &mut trace).await;
    let record = Record { services, ctx, known: &known, trace, user_agent };
    match ended {
        Ok(Outcome::Tested(tested)) => {
            record.note(Ending::Test { reference: tested.report.reference.clone(), why: None }, 0);
            Ok(Outcome::Tested(tested))
        }
        Ok(Outcome::SignedIn { token, return_to }) => {
            record.signed_in();
            Ok(Outcome::SignedIn { token, return_to })
        }
        Ok(Outcome::SteppedUp { return_to }) => {
            record.signed_in();
            Ok(Outcome::SteppedUp { return_to })
        }
        Ok(Outcome::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
        Err(Stop::Refused(reason)) => Ok(Box::pin(record.refused(reason, session)).await?),
        Err(Stop::Store(error)) => Err(error.into()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// What came along with a response.
struct Brought<'a> {
    browser: Option<&'a str>,
    session: Option<&'a str>,
    relay_state: Option<String>,
    no_decryption_for: &'a (dyn Fn() -> Option<Duration> + Send + Sync),
}

async fn enter(
    services: &Services,
    ctx: &Ctx,
    known: &KnownConnection,
    read: Result<PostedResponse, Stop>,
    brought: Brought<'_>,
    trace: &mut Trace,
) -> Result<Outcome, Stop> {
    let connection = &known.row;
    // The connection named by the address is what names the tenant here.
    let scope = TenantScope::established(connection.organization_id);
    // A draft is open for its tests alone.
    let is_test = trace.attempt.as_ref().is_some_and(|attempt| attempt.test_id.is_some());
    if connection.status != ConnectionStatus::Active && !is_test {
        return Err(Reason::ConnectionInactive.into());
    }
    let response = Arc::new(read?);
    trace.response = Some(Arc::clone(&response));
    let request = response.in_response_to().map(str::to_owned);
    let unsolicited = request.is_none();
    let attempt = if unsolicited {
        if !connection.idp_initiated {
            return Err(SamlRefusal::Unsolicited { element: "response" }.into());
        }
        unsolicited::attempt(services, ctx, connection, brought.relay_state.as_deref())
    } else {
        let attempt = trace.attempt.clone().ok_or(Reason::UnknownRequest)?;
        let browser = brought.browser.and_then(|text| Token::parse(TokenKind::Browser, text));
        if browser.as_ref().is_none_or(|browser| browser.hash() != attempt.browser_hash) {
            return Err(Reason::OtherBrowser { cookie: browser.is_some() }.into());
        }
        trace.own = true;
        if attempt.consumed_at.is_some() {
            return Err(Reason::AttemptUsed.into());
        }
        if attempt.expires_at <= ctx.now {
            return Err(Reason::AttemptExpired { at: attempt.expires_at }.into());
        }
        attempt
    };
    if response.is_encrypted()
        && let Some(retry_after) = (brought.no_decryption_for)()
    {
        return Err(Error::RateLimited { retry_after }.into());
    }
    let assertion = verify::verify(services, known, request, response, ctx.now).await?;
    trace.assertion = Some(assertion.clone());
    let verified = verify::read(assertion, &known.mapping)?;
    trace.address = Some(verified.address.clone());
    let idp = Actor::Idp { connection: connection.id, organization: connection.organization_id };
    let entry = Entry { services, ctx: ctx.acting(idp), scope, connection, attempt, unsolicited, verified };
    if is_test {
        return Box::pin(entry.rehearse(trace)).await;
    }
    if entry.attempt.step_up {
        return Box::pin(entry.step_up(trace)).await;
    }
    let present = sessions::of_cookie(services, brought.session, ctx.now).await?.map(|session| session.id);
    let (token, admitted) = match entry.admit_known(present).await? {
        Some(done) => done,
        None => Box::pin(entry.admit_anybody(present)).await?,
    };
    trace.admitted = Some(admitted);
    Ok(Outcome::SignedIn { token, return_to: entry.attempt.return_to })
}

/// A verified assertion on its way to a session.
struct Entry<'a> {
    services: &'a Services,
    ctx: Ctx,
    scope: TenantScope,
    connection: &'a Connection,
    attempt: SignInAttempt,
    /// Whether it began at the IdP; then the attempt is still to be written.
    unsolicited: bool,
    verified: Verified,
}

impl Entry<'_> {
    fn now(&self) -> Timestamp {
        self.ctx.now
    }

    async fn admit_anybody(&self, present: Option<SessionId>) -> Result<(Token, Admitted), Stop> {
        let mut tries = 1;
        loop {
            match self.admit(present).await {
                // Another sign-in of the same person came first: what it made is found at the next try.
                Err(Stop::Store(StoreError::Conflict(_) | StoreError::Stale)) if tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    /// The one transaction.
    async fn admit(&self, present: Option<SessionId>) -> Result<(Token, Admitted), Stop> {
        let (services, ctx, now) = (self.services, &self.ctx, self.now());
        let tx = services.db.begin().await?;
        if self.unsolicited {
            store::sign_in_attempts::insert(&tx, self.attempt.clone()).await?;
        }
        if !store::sign_in_attempts::consume(&tx, self.scope, self.attempt.id, now).await? {
            return Err(Reason::AttemptUsed.into());
        }
        self.use_up_assertion(&tx).await?;
        let (person, organization) = self.person(&tx).await?;
        for earlier in self
            .attempt
            .session_id
            .into_iter()
            .chain(present.filter(|id| self.attempt.session_id.is_none_or(|begun| begun != *id)))
        {
            sessions::end_earlier(services, &tx, ctx, earlier).await?;
        }
        let user = person.member.user_id;
        let (token, session) =
            sessions::open(services, &tx, &organization, user, self.opening(), now).await?;
        let mut data = self.told(&session);
        data["created"] = json!(person.created);
        data["linked"] = json!(person.linked);
        data["note"] = json!(person.note);
        services.record(&tx, ctx, organization.id, EventKind::SignInSucceeded, user, data).await?;
        tx.commit().await?;
        let admitted = Admitted { user, session: session.id, created: person.created, linked: person.linked };
        Ok((token, admitted))
    }

    /// How the session begins, by the assertion.
    fn opening(&self) -> Opening {
        let assertion = &self.verified.assertion;
        let kept = |text: &str| text.chars().take(LONGEST_KEPT).collect::<String>();
        Opening {
            permit: Permit::by_assertion(assertion),
            method: SignInMethod::Saml,
            connection: Some(self.connection.id),
            name_id: Some(kept(&assertion.name_id().value)),
            name_id_attributes: Some(&assertion.name_id().attributes)
                .filter(|attributes| !attributes.is_empty())
                .and_then(|attributes| serde_json::to_string(attributes).ok()),
            session_index: assertion.session_index().map(kept),
            authn_context: assertion.authn_context_class_ref().map(kept),
            authn_at: assertion.authn_instant().into(),
            not_after: assertion.session_not_on_or_after().map(Timestamp::from),
            stepped_up_at: (self.connection.force_authn && !self.unsolicited)
                .then(|| self.fresh_at())
                .flatten(),
        }
    }

    /// What the event tells of a sign-in; of somebody who was linked before, unless more is said.
    fn told(&self, session: &Session) -> Value {
        json!({
            "connection": self.connection.id,
            "session": session.id,
            "attempt": self.attempt.id,
            "address": self.verified.address,
            "method": session.method,
            "authn_context": session.authn_context,
            "encrypted": self.verified.assertion.encrypted(),
            "idp_initiated": self.unsolicited,
            "expires_at": session.expires_at,
            "created": false,
            "linked": false,
            "note": null,
        })
    }

    async fn use_up_assertion(&self, tx: &Tx) -> Result<(), Stop> {
        let assertion = &self.verified.assertion;
        let until = assertion.replay_until().into();
        match store::sign_in_attempts::use_assertion(tx, self.connection.id, assertion.assertion_id(), until)
            .await
        {
            Err(StoreError::Conflict(UniqueKey::UsedAssertion)) => Err(Reason::AssertionUsed.into()),
            other => Ok(other?),
        }
    }
}
