//! What the assertion consumer service does with a test sign-in: the whole verification, then the whole of what would
//! happen to the person, in a transaction that is undone. Nothing is made, nobody is linked or signed in; what came of
//! it is written down, and the one event says so.
//!
//! A test passes if the response is right and says who it is about. What would become of that person is told apart: an
//! administrator who tests may well be somebody who would be refused.

use super::person::Person;
use super::record::Record;
use super::refusal::{Refusal, reference};
use super::{Entry, Outcome, Reason, Stop, TRIES, Trace};
use crate::model::event::EventKind;
use crate::model::id::ConnectionTestId;
use crate::model::state::{ConnectionStatus, Source};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::saml::response::AssertionAttribute;
use crate::protocol::saml::{Claims, Console, VerifiedAssertion};
use crate::service::connection_tests::trust;
use crate::service::connections::Connection;
use crate::service::sign_in_log::{Ending, Seen, Why, clock_difference_ms, masked, seen};
use crate::service::{Ctx, Error, Services};
use crate::store;
use crate::store::connection_tests::Finished;
use crate::store::error::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// From here on a difference of clocks is worth a warning, in milliseconds.
const CLOCKS_APART: u64 = 20_000;
/// How many groups a report lists.
const MOST_GROUPS: usize = 100;

/// What came of a test, with everything that came, for the browser that began it.
#[derive(Debug)]
pub struct Tested {
    /// The name of the connection.
    pub connection: String,
    pub report: Report,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub passed: bool,
    pub reference: String,
    /// Why it did not pass.
    pub refusal: Option<Wrong>,
    /// What came.
    pub came: Option<Came>,
    /// Who it is about.
    pub read: Option<Read>,
    /// What would happen.
    pub then: Option<Foretold>,
    /// What works and should be looked at.
    pub warnings: Vec<String>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    pub code: String,
    pub detail: String,
    pub next_step: String,
}

impl From<&Refusal> for Wrong {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code.to_owned(),
            detail: refusal.detail.clone(),
            next_step: refusal.next_step.clone(),
        }
    }
}

/// What came from the IdP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Came {
    /// Whether the signature was right; else it is what whoever sent it says.
    pub verified: bool,
    pub issuer: Option<String>,
    pub certificate: Option<String>,
    pub algorithm: Option<String>,
    /// How far the IdP's clock is ahead of ours.
    pub clock_difference_ms: Option<i64>,
    pub name_id: Option<String>,
    pub name_id_format: Option<String>,
    pub authn_context: Option<String>,
    pub attributes: Vec<Seen>,
}

/// Who the response is about, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    pub address: String,
    /// The key of a link.
    pub subject: String,
    /// Whether the key never changes.
    pub immutable: bool,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    pub groups: Vec<String>,
}

/// What a real sign-in would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foretold {
    /// `sign_in`, `link`, `create`, `wait` (for an administrator) or `refuse`.
    pub action: String,
    pub sentence: String,
    pub role: Option<String>,
    pub refusal: Option<Wrong>,
}

impl Came {
    fn verified(assertion: &VerifiedAssertion, now: Timestamp) -> Self {
        Self {
            verified: true,
            issuer: Some(assertion.issuer().to_owned()),
            certificate: Some(assertion.signed_by().fingerprint.clone()),
            algorithm: Some(assertion.signed_by().algorithm.label().to_owned()),
            clock_difference_ms: clock_difference_ms(assertion.issue_instant(), now),
            name_id: Some(assertion.name_id().value.clone()),
            name_id_format: Some(assertion.name_id().format.label().to_owned()),
            authn_context: assertion.authn_context_class_ref().map(str::to_owned),
            attributes: all(assertion.attributes()),
        }
    }

    fn claimed(claims: Claims, now: Timestamp) -> Self {
        Self {
            verified: false,
            clock_difference_ms: claims.issue_instant.and_then(|issued| clock_difference_ms(issued, now)),
            issuer: claims.issuer,
            certificate: claims.certificate,
            algorithm: claims.algorithm,
            name_id: None,
            name_id_format: claims.name_id_format,
            authn_context: claims.authn_context,
            attributes: all(&claims.attributes),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let far = self.clock_difference_ms.filter(|ms| ms.unsigned_abs() >= CLOCKS_APART);
        far.map(|ms| {
            format!(
                "The clocks of the IdP and of this server differ by {}. Responses are refused once that is more than what \
                 is allowed.",
                crate::service::sign_in_log::steps::seconds(ms)
            )
        })
        .into_iter()
        .collect()
    }
}

fn all(attributes: &[AssertionAttribute]) -> Vec<Seen> {
    seen(attributes, true)
}

impl Report {
    /// As it is kept: values masked, unless the connection shows them.
    fn kept(&self, connection: &Connection) -> Self {
        let mut kept = self.clone();
        if connection.unmask_sign_in_attributes {
            return kept;
        }
        let mask = |value: &mut Option<String>| {
            if let Some(value) = value {
                *value = masked(value);
            }
        };
        if let Some(came) = &mut kept.came {
            mask(&mut came.name_id);
            for value in came.attributes.iter_mut().flat_map(|attribute| &mut attribute.values) {
                *value = masked(value);
            }
        }
        if let Some(read) = &mut kept.read {
            if read.subject != read.address {
                read.subject = masked(&read.subject);
            }
            mask(&mut read.given_name);
            mask(&mut read.family_name);
            mask(&mut read.display_name);
            for group in &mut read.groups {
                *group = masked(group);
            }
        }
        kept
    }
}

/// Writes down what came of a test, once; `false` if somebody did so before.
async fn finish(
    (services, ctx): (&Services, &Ctx),
    connection: &Connection,
    (trace, test): (&Trace, ConnectionTestId),
    report: &Report,
) -> Result<bool, Error> {
    let Some(attempt) = &trace.attempt else { return Ok(false) };
    let scope = TenantScope::established(connection.organization_id);
    let trust = trust(connection)?;
    let tx = services.begin().await?;
    let outcome = if report.passed { "test_passed" } else { "test_failed" };
    let detail = report.refusal.as_ref().map_or("", |wrong| &wrong.detail);
    let detail = format!("{}: {detail}", report.reference);
    if !store::sign_in_attempts::refuse(&tx, scope, attempt.id, outcome, &detail, ctx.now).await? {
        return Ok(false);
    }
    let kept = serde_json::to_value(report.kept(connection)).map_err(|e| Error::Internal(e.to_string()))?;
    let finished = Finished { passed: report.passed, trust: trust.clone(), report: kept };
    store::connection_tests::finish(&tx, scope, test, finished, ctx.now).await?;
    if report.passed {
        clear_flag(&tx, scope, connection, &trust).await?;
    }
    let data = json!({
        "passed": report.passed,
        "reference": report.reference,
        "code": report.refusal.as_ref().map(|wrong| &wrong.code),
        "detail": report.refusal.as_ref().map(|wrong| &wrong.detail),
        "address": trace.address,
        "test": test,
    });
    let organization = connection.organization_id;
    services.record(&tx, ctx, organization, EventKind::ConnectionTested, connection.id, data).await?;
    tx.commit().await?;
    services.caches.ways_in.clear();
    Ok(true)
}

/// A connection that was switched on without a test has passed one now.
async fn clear_flag(
    tx: &store::Tx,
    scope: TenantScope,
    tested: &Connection,
    trusted: &str,
) -> Result<(), Error> {
    if tested.status != ConnectionStatus::Active || !tested.activated_without_test {
        return Ok(());
    }
    if let Some(mut row) = store::connections::lock(tx, scope, tested.id).await?
        && row.activated_without_test
        && trust(&row)? == trusted
    {
        row.activated_without_test = false;
        store::connections::update(tx, scope, row).await?;
    }
    Ok(())
}

/// A test whose response was refused.
pub(super) async fn failed(record: Record<'_>, refusal: Refusal) -> Result<Outcome, Error> {
    let (services, now) = (record.services, record.ctx.now);
    let Some(test) = record.trace.test() else { return Ok(Outcome::Refused(refusal)) };
    let connection = &record.known.row;
    let came = match (&record.trace.assertion, &record.trace.response) {
        (Some(assertion), _) => Some(Came::verified(assertion, now)),
        (None, Some(response)) => Some(Came::claimed(response.claims(), now)),
        (None, None) => None,
    };
    let report = Report {
        passed: false,
        reference: refusal.reference.clone(),
        refusal: Some(Wrong::from(&refusal)),
        warnings: came.as_ref().map(Came::warnings).unwrap_or_default(),
        came,
        read: None,
        then: None,
    };
    if !finish((services, record.ctx), connection, (&record.trace, test), &report).await? {
        // Somebody posted the same at the same moment, and came first.
        return Ok(Outcome::Refused(refusal));
    }
    let connection = connection.name.clone();
    let why = Some(Box::new(Why::of(&refusal)));
    record.note(Ending::Test { reference: refusal.reference, why }, 0);
    Ok(Outcome::Tested(Box::new(Tested { connection, report })))
}

impl Entry<'_> {
    /// The end of a test whose response is right.
    pub(super) async fn rehearse(&self, trace: &Trace) -> Result<Outcome, Stop> {
        let Some(test) = trace.test() else { return Err(Reason::AttemptUsed.into()) };
        let (assertion, identity) = (&self.verified.assertion, &self.verified.identity);
        let came = Came::verified(assertion, self.now());
        let mut warnings = came.warnings();
        if !self.verified.immutable {
            warnings.push(
                "The IdP sends nothing that stays the same for a person: people are known by their address alone, and one \
                 who changes it is somebody new. Send a persistent NameID, or map an attribute that never changes as \
                 subject."
                    .to_owned(),
            );
        }
        if identity.display_name.is_none() {
            warnings.push("No name came: members will be shown by their address.".to_owned());
        }
        let report = Report {
            passed: true,
            reference: reference(&*self.services.random),
            refusal: None,
            came: Some(came),
            read: Some(Read {
                address: self.verified.address.as_str().to_owned(),
                subject: self.verified.subject.clone(),
                immutable: self.verified.immutable,
                given_name: identity.given_name.clone(),
                family_name: identity.family_name.clone(),
                display_name: identity.display_name.clone(),
                groups: identity.groups.iter().take(MOST_GROUPS).cloned().collect(),
            }),
            then: Some(self.foretell().await?),
            warnings,
        };
        if !finish((self.services, &self.ctx), self.connection, (trace, test), &report).await? {
            return Err(Reason::AttemptUsed.into());
        }
        let connection = self.connection.name.clone();
        Ok(Outcome::Tested(Box::new(Tested { connection, report })))
    }

    /// What a real sign-in would do now: it is done, and undone.
    async fn foretell(&self) -> Result<Foretold, Stop> {
        let mut tries = 1;
        loop {
            let tx = self.services.db.begin().await?;
            self.void_links(&tx).await?;
            let found = self.person(&tx).await;
            // Not committed: all of it is undone.
            drop(tx);
            return match found {
                Ok((person, _)) => Ok(self.foretold(&person)),
                Err(Stop::Refused(reason)) => {
                    let console = Console::from_type(self.connection.kind.as_str());
                    let refusal = Refusal::new(&reason, console, &*self.services.random);
                    let (action, sentence) = match reason {
                        Reason::LinkPending(_) => {
                            ("wait", "This person would wait until an administrator confirms who they are.")
                        }
                        _ => ("refuse", "This person would be refused."),
                    };
                    Ok(Foretold {
                        action: action.to_owned(),
                        sentence: sentence.to_owned(),
                        role: None,
                        refusal: Some(Wrong::from(&refusal)),
                    })
                }
                Err(Stop::Store(StoreError::Conflict(_) | StoreError::Stale)) if tries < TRIES => {
                    tries += 1;
                    continue;
                }
                Err(stop) => Err(stop),
            };
        }
    }

    /// Where a draft has another IdP, nobody is linked to it yet.
    async fn void_links(&self, tx: &store::Tx) -> Result<(), Stop> {
        let id = self.connection.id;
        let live = store::connections::find(tx, self.scope, id).await?;
        if live.is_some_and(|live| live.idp_entity_id != self.connection.idp_entity_id) {
            let (subject, address) = (&self.verified.subject, &self.verified.address);
            store::links::delete_of_person(tx, self.scope, id, subject, address).await?;
        }
        Ok(())
    }

    fn foretold(&self, person: &Person) -> Foretold {
        let (address, role) = (&self.verified.address, person.member.role);
        let (action, mut sentence) = match (person.created, person.linked) {
            (true, _) if person.member.source == Source::Invite => {
                ("create", format!("{address} would become a member by the invite that waits for them."))
            }
            (true, _) => ("create", format!("{address} would become a member just in time.")),
            (false, true) => {
                ("link", format!("The member {address} would be linked to this subject and signed in."))
            }
            (false, false) => ("sign_in", format!("{address} is linked already and would be signed in.")),
        };
        if person.member.unmapped_role.is_some() {
            sentence.push_str(" The role comes from the person's groups.");
        }
        if let Some(note) = person.note {
            sentence.push_str(" Note: ");
            sentence.push_str(note);
            sentence.push('.');
        }
        Foretold { action: action.to_owned(), sentence, role: Some(role.as_str().to_owned()), refusal: None }
    }
}
