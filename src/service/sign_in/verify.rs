//! The bridge to the SAML engine: verification, which keeps no async thread for long and ends in time, and the person
//! that a verified assertion names.

use super::{Reason, Stop};
use crate::model::email::EmailAddress;
use crate::model::id::ConnectionId;
use crate::model::time::Timestamp;
use crate::protocol::saml::{
    AttributeMapping, Expectations, Identity, PostedResponse, RequestKey, SamlRefusal, Subject, Unconfirmed,
    VerifiedAssertion,
};
use crate::service::cache::KnownConnection;
use crate::service::connections::options;
use crate::service::{Error, Services, connections, saml_keys};
use crate::store;
use crate::store::connections::{Connection, Versions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many responses are verified at once: it is all CPU, and hostile ones shall not take every thread.
static VERIFYING: Semaphore = Semaphore::const_new(4);
/// How long a response may wait for its turn, and then for its verdict.
const WITHIN: Duration = Duration::from_secs(10);
/// Responses longer than this are read off the async threads even for finding their attempt.
const READ_AT_ONCE: usize = 64 * 1024;
/// Responses of this length are checked in some tenths of a millisecond, which handing them to another thread and back
/// would cost again.
const CHECKED_AT_ONCE: usize = 32 * 1024;
/// The longest subject and assertion id that are kept: longer ones fit no index.
const LONGEST_KEY: usize = 512;

/// What a verified assertion says of a person, in the forms that are compared.
pub(super) struct Verified {
    pub assertion: VerifiedAssertion,
    pub identity: Identity,
    /// The asserted address.
    pub address: EmailAddress,
    /// The key of a link at this connection.
    pub subject: String,
    /// Whether the key is a lasting one, or only the address.
    pub immutable: bool,
}

fn busy() -> Stop {
    Stop::Failed(Error::Unavailable {
        code: "verification_busy",
        message:
            "Too many sign-ins are being verified at the moment. Nothing was changed; try again in a moment."
                .to_owned(),
    })
}

fn unavailable(problem: &str) -> Stop {
    tracing::error!(%problem, "signatures cannot be verified");
    Stop::Failed(Error::Unavailable {
        code: "verifier_unavailable",
        message: "Sign-ins cannot be verified at the moment. Nothing was changed; try again in a moment."
            .to_owned(),
    })
}

fn panicked() -> Stop {
    tracing::error!("the verification of a SAML response panicked");
    SamlRefusal::VerifierRefused { problem: "it could not be read".to_owned() }.into()
}

/// Runs work on a blocking thread with a turn of its own; a panic there is a refusal.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SamlRefusal> + Send + 'static,
) -> Result<T, Stop> {
    let verdict = tokio::time::timeout(WITHIN, async {
        let turn = VERIFYING.acquire().await;
        tokio::task::spawn_blocking(move || {
            let verdict = work();
            drop(turn);
            verdict
        })
        .await
    });
    match verdict.await {
        Ok(Ok(verdict)) => Ok(verdict?),
        Ok(Err(_)) => Err(panicked()),
        Err(_) => Err(busy()),
    }
}

/// Asks the verifier processes what is left to ask.
async fn confirmed(services: &Services, unconfirmed: Unconfirmed) -> Result<VerifiedAssertion, Stop> {
    let mut answers = Vec::with_capacity(2);
    for question in unconfirmed.questions() {
        let asked = services.verifier.ask(question.document(), question.certificate());
        answers.push(tokio::time::timeout(WITHIN, asked).await.map_err(|_| busy())?);
    }
    unconfirmed.confirm(answers).map_err(|refusal| match refusal {
        SamlRefusal::VerifierUnavailable { problem } => unavailable(&problem),
        refusal => refusal.into(),
    })
}

/// Reads a response, so that its attempt can be found.
pub(super) async fn read_posted(response: String) -> Result<PostedResponse, Stop> {
    if response.len() <= READ_AT_ONCE {
        return Ok(PostedResponse::read(response.as_bytes())?);
    }
    off_thread(move || PostedResponse::read(response.as_bytes())).await
}

/// The connection with this id: in versions that were read before, or else as it is now. `None` if there is none.
pub(in crate::service) async fn known(
    services: &Services,
    id: ConnectionId,
    versions: Option<Versions>,
) -> Result<Option<Arc<KnownConnection>>, Error> {
    let read = async || -> Result<Option<Arc<KnownConnection>>, Error> {
        let Some(row) = store::connections::find_by_url_id(&services.db, id).await? else { return Ok(None) };
        let certificates = connections::active_certificates(&row)?;
        let mapping = connections::attribute_mapping(&row)?;
        let authn_contexts = options::authn_contexts(&row)?.into();
        let keys = saml_keys::open(services, &row).await?;
        Ok(Some(Arc::new(KnownConnection { row, certificates, mapping, keys, authn_contexts })))
    };
    if let Some(versions) = versions {
        // Kept only under its own versions: the row may have changed since they were asked for.
        let of_version =
            || async { Ok::<_, Error>(read().await?.filter(|known| Versions::of(&known.row) == versions)) };
        if let Some(known) = services.caches.connections.0.get((id, versions), of_version).await? {
            return Ok(Some(known));
        }
    }
    read().await
}

/// What the connection's requests are signed with, if they are; the first key is made by this.
pub(super) async fn request_key(
    services: &Services,
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<RequestKey>, Error> {
    if !connection.sign_requests {
        return Ok(None);
    }
    let known = known(services, connection.id, Some(Versions::of(connection))).await?;
    if let Some(key) = known.and_then(|known| known.keys.request.clone()) {
        return Ok(Some(key));
    }
    saml_keys::ensure_needed(services, connection, now).await?;
    let key = saml_keys::open(services, connection).await?.request;
    key.map(Some).ok_or_else(|| Error::Internal(format!("{} has no key to sign with", connection.id)))
}

/// Verifies a response.
pub(super) async fn verify(
    services: &Services,
    known: &KnownConnection,
    request_id: Option<String>,
    response: Arc<PostedResponse>,
    now: Timestamp,
) -> Result<VerifiedAssertion, Stop> {
    let urls = connections::sp_urls(&services.settings, known.row.id);
    let skew = services.settings.clock_skew;
    let expected = Expectations {
        idp_entity_id: known.row.idp_entity_id.clone(),
        sp_entity_id: urls.entity_id,
        acs_url: urls.acs_url,
        certificates: known.certificates.clone(),
        decryption_keys: Arc::clone(&known.keys.decryption),
        require_encryption: known.row.require_encryption,
        authn_contexts: Arc::clone(&known.authn_contexts),
        request_id,
        clock_skew: time::Duration::try_from(skew).unwrap_or(Expectations::USUAL_SKEW),
    };
    let at = now.to_datetime();
    let unconfirmed = if response.length() <= CHECKED_AT_ONCE && !response.is_encrypted() {
        match catch_unwind(AssertUnwindSafe(|| response.examine(&expected, at))) {
            Ok(examined) => examined?,
            Err(_) => return Err(panicked()),
        }
    } else {
        off_thread(move || response.examine(&expected, at)).await?
    };
    confirmed(services, unconfirmed).await
}

/// Reads who a verified assertion is about.
pub(super) fn read(assertion: VerifiedAssertion, mapping: &AttributeMapping) -> Result<Verified, Stop> {
    let identity = Identity::read(&assertion, mapping)?;
    let cut = |text: &str| text.chars().take(200).collect::<String>();
    let too_long = |what, text: &str| SamlRefusal::BadValue { what, found: format!("{}…", cut(text)) };
    if assertion.assertion_id().len() > LONGEST_KEY {
        return Err(too_long("the assertion's ID", assertion.assertion_id()).into());
    }
    let address = EmailAddress::parse(&identity.email)
        .map_err(|error| Reason::AddressInvalid { found: cut(&identity.email), error })?;
    let (subject, immutable) = match &identity.subject {
        Subject::Immutable(subject) => (subject.clone(), true),
        Subject::Address(_) => (address.as_str().to_owned(), false),
    };
    if subject.len() > LONGEST_KEY {
        return Err(too_long("the subject", &subject).into());
    }
    Ok(Verified { assertion, identity, address, subject, immutable })
}
