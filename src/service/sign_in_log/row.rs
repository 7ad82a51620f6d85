//! An entry of the sign-in log from what was noted: cut, and masked unless the connection's administrator wants to see.

use super::{Ending, Noted, Said, SignIn, Why};
use crate::model::id::SignInId;
use crate::model::random::Random;
use crate::model::sign_in::SignInOutcome;
use crate::model::time::Timestamp;
use crate::protocol::saml::response::AssertionAttribute;
use crate::service::journal::clean;
use crate::service::sign_in::refusal::reference;
use crate::store::sign_in_attempts::SignInAttempt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Texts are cut here.
const LONGEST: usize = 2_000;
const LONGEST_VALUE: usize = 200;
/// How many attributes are kept, and how many values of each.
const MOST_ATTRIBUTES: usize = 60;
const MOST_VALUES: usize = 20;
const MOST_MASKED_VALUES: usize = 3;

/// An attribute as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub name: String,
    /// How many values came.
    pub count: usize,
    /// The first of them, masked unless the entry is unmasked.
    pub values: Vec<String>,
}

fn cut(text: &str, longest: usize) -> String {
    let mut out: String = text.chars().take(longest).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        out.push('…');
    }
    out
}

/// A value as far as it is nobody's secret: its first letter and its length.
pub fn masked(value: &str) -> String {
    let length = value.chars().count();
    match value.chars().next().filter(|first| length > 3 && !first.is_control()) {
        Some(first) => format!("{first}… ({length} characters)"),
        None => format!("… ({length} characters)"),
    }
}

/// Attributes as the log keeps them.
pub fn seen(attributes: &[AssertionAttribute], unmask: bool) -> Vec<Seen> {
    let one = |attribute: &AssertionAttribute| Seen {
        name: cut(&attribute.name, LONGEST_VALUE),
        count: attribute.values.len(),
        values: if unmask {
            attribute.values.iter().take(MOST_VALUES).map(|value| cut(value, LONGEST_VALUE)).collect()
        } else {
            attribute.values.iter().take(MOST_MASKED_VALUES).map(|value| masked(value)).collect()
        },
    };
    attributes.iter().take(MOST_ATTRIBUTES).map(one).collect()
}

/// How far the IdP's clock is ahead of ours.
pub fn clock_difference_ms(issued: OffsetDateTime, at: Timestamp) -> Option<i64> {
    i64::try_from((issued - at.to_datetime()).whole_milliseconds()).ok()
}

/// The parts of an entry that come from the response.
#[derive(Default)]
struct Content {
    verified: bool,
    encrypted: bool,
    certificate: Option<String>,
    algorithm: Option<String>,
    clock_difference_ms: Option<i64>,
    issuer: Option<String>,
    name_id_format: Option<String>,
    authn_context: Option<String>,
    attributes: Option<String>,
}

fn content(said: &Said, at: Timestamp, unmask: bool) -> Content {
    let json = |attributes: &[AssertionAttribute]| serde_json::to_string(&seen(attributes, unmask)).ok();
    match said {
        Said::Nothing => Content::default(),
        Said::Claimed(claims) => Content {
            verified: false,
            encrypted: claims.encrypted,
            certificate: claims.certificate.clone(),
            algorithm: claims.algorithm.clone(),
            clock_difference_ms: claims.issue_instant.and_then(|issued| clock_difference_ms(issued, at)),
            issuer: claims.issuer.clone(),
            name_id_format: claims.name_id_format.clone(),
            authn_context: claims.authn_context.clone(),
            attributes: json(&claims.attributes),
        },
        Said::Verified(assertion) => Content {
            verified: true,
            encrypted: assertion.encrypted(),
            certificate: Some(assertion.signed_by().fingerprint.clone()),
            algorithm: Some(assertion.signed_by().algorithm.label().to_owned()),
            clock_difference_ms: clock_difference_ms(assertion.issue_instant(), at),
            issuer: Some(assertion.issuer().to_owned()),
            name_id_format: Some(assertion.name_id().format.label().to_owned()),
            authn_context: assertion.authn_context_class_ref().map(|class| cut(class, LONGEST_VALUE)),
            attributes: json(assertion.attributes()),
        },
    }
}

/// The entry of a sign-in that ended.
pub(super) fn of(id: SignInId, noted: Noted, random: &dyn Random) -> SignIn {
    let content = content(&noted.said, noted.at, noted.unmask);
    let (attempt_id, started_at) = noted.attempt.unzip();
    let mut entry = SignIn {
        organization_id: noted.organization,
        id,
        connection_id: noted.connection,
        attempt_id,
        created_at: noted.at,
        reference: String::new(),
        outcome: SignInOutcome::SignedIn,
        code: None,
        detail: None,
        next_step: None,
        started_at,
        finished_at: Some(noted.at),
        address: noted.address.map(|address| address.as_str().to_owned()),
        user_id: None,
        session_id: None,
        created: false,
        linked: false,
        verified: content.verified,
        encrypted: content.encrypted,
        certificate: content.certificate.or(noted.certificate),
        algorithm: content.algorithm.map(clean),
        clock_difference_ms: content.clock_difference_ms,
        issuer: content.issuer.map(clean),
        name_id_format: content.name_id_format.map(clean),
        authn_context: content.authn_context.map(clean),
        attributes: content.attributes.map(clean),
        unmasked: noted.unmask,
        ip: noted.ip.map(|ip| ip.to_string()),
        user_agent: noted.user_agent.map(|agent| clean(agent.into())),
        request_id: clean(noted.request_id.to_string()),
        left_out: i64::try_from(noted.left_out).unwrap_or(i64::MAX),
    };
    let why = match noted.ending {
        Ending::SignedIn { user, session, created, linked } => {
            (entry.user_id, entry.session_id) = (Some(user), Some(session));
            (entry.created, entry.linked) = (created, linked);
            entry.reference = reference(random);
            None
        }
        Ending::Refused(why) => {
            entry.outcome = SignInOutcome::Refused;
            Some(why)
        }
        Ending::Test { reference, why } => {
            entry.outcome = SignInOutcome::Test;
            entry.reference = reference;
            why
        }
    };
    if let Some(why) = why {
        let Why { code, reference, detail, next_step } = *why;
        entry.reference = reference;
        entry.code = Some(code.to_owned());
        entry.detail = Some(clean(cut(&detail, LONGEST)));
        entry.next_step = Some(clean(cut(&next_step, LONGEST)));
    }
    entry
}

/// The entry of a sign-in that nobody finished. Its id is the attempt's, so that it is told once.
pub(super) fn abandoned(attempt: SignInAttempt, now: Timestamp, random: &dyn Random) -> SignIn {
    let what = if attempt.test_id.is_some() { "test sign-in" } else { "sign-in" };
    SignIn {
        organization_id: attempt.organization_id,
        id: SignInId(attempt.id.uuid()),
        connection_id: attempt.connection_id,
        attempt_id: Some(attempt.id),
        created_at: now,
        reference: reference(random),
        outcome: SignInOutcome::Abandoned,
        code: None,
        detail: Some(format!(
            "the IdP's answer to this {what} had to come by {}, and none came that was accepted or refused for good",
            attempt.expires_at
        )),
        next_step: Some(
            "If it happens to everybody, look at what the IdP showed them: it may not know the application, or post its \
             answer to another address than the connection's acs_url."
                .to_owned(),
        ),
        started_at: Some(attempt.created_at),
        finished_at: None,
        address: None,
        user_id: None,
        session_id: None,
        created: false,
        linked: false,
        verified: false,
        encrypted: false,
        certificate: None,
        algorithm: None,
        clock_difference_ms: None,
        issuer: None,
        name_id_format: None,
        authn_context: None,
        attributes: None,
        unmasked: false,
        ip: None,
        user_agent: None,
        request_id: String::new(),
        left_out: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, values: &[&str]) -> AssertionAttribute {
        AssertionAttribute {
            name: name.to_owned(),
            friendly_name: None,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn values_show_a_letter_and_a_length_at_most() {
        let came = [attribute("email", &["jo@acme.test"]), attribute("pin", &["123", "", "a", "b"])];
        let seen = seen(&came, false);
        assert_eq!(seen[0].values, ["j… (12 characters)"]);
        assert_eq!((seen[1].count, seen[1].values.len()), (4, MOST_MASKED_VALUES));
        assert_eq!(seen[1].values[0], "… (3 characters)", "a short value is its own first letter");
        assert_eq!(super::seen(&came, true)[0].values, ["jo@acme.test"]);
    }

    #[test]
    fn what_is_kept_of_a_large_assertion_is_small() {
        let many: Vec<_> = (0..500).map(|n| attribute(&format!("{n}"), &["x"; 400])).collect();
        for unmask in [false, true] {
            let kept = serde_json::to_string(&seen(&many, unmask)).unwrap();
            assert!(kept.len() < 16 * 1024, "{}", kept.len());
        }
    }
}
