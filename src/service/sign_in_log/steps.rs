//! The steps of a sign-in, told from its entry: each that was passed, and the one that failed, in a sentence.

use super::SignIn;
use crate::model::sign_in::{SignInOutcome, SignInStep};
use crate::service::sign_in::codes;

/// A step that was passed, or that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTold {
    pub step: SignInStep,
    pub ok: bool,
    pub sentence: String,
}

/// All steps up to the one where the sign-in ended.
pub fn steps(entry: &SignIn) -> Vec<StepTold> {
    let failed = entry.code.as_deref().map(|code| codes::of(code).step);
    let mut told = Vec::new();
    // Of a log-out message nothing is told but why it was refused.
    let of_sign_in = !entry.code.as_deref().is_some_and(|code| code.starts_with("logout_"));
    for step in SignInStep::ALL.iter().copied() {
        if failed == Some(step) {
            let detail = entry.detail.as_deref().unwrap_or("the sign-in was refused here");
            told.push(StepTold { step, ok: false, sentence: sentence_of(detail) });
            return told;
        }
        if entry.outcome == SignInOutcome::Abandoned && step == SignInStep::Response {
            let sentence = "No response came in time.".to_owned();
            told.push(StepTold { step, ok: false, sentence });
            return told;
        }
        if let Some(sentence) = passed(step, entry).filter(|_| of_sign_in) {
            told.push(StepTold { step, ok: true, sentence });
        }
    }
    told
}

/// With a capital in front and a full stop behind.
fn sentence_of(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

/// Whether it is known that the signature was right; inside something encrypted that is known only at the end.
fn is_signed(entry: &SignIn) -> bool {
    entry.verified || (!entry.encrypted && entry.code.as_deref().is_some_and(codes::is_after_signature))
}

/// What is said of a step that was passed; `None` if there was no such step.
fn passed(step: SignInStep, entry: &SignIn) -> Option<String> {
    let text = match step {
        SignInStep::Request => {
            let at = entry.started_at?;
            format!("The person was sent to the IdP at {at}.")
        }
        SignInStep::Response => {
            let from = entry.issuer.as_deref().map(|issuer| format!(" from {issuer}")).unwrap_or_default();
            let at = entry.finished_at?;
            format!("A response{from} came at {at}.")
        }
        SignInStep::Match if entry.attempt_id.is_none() => {
            "It answers no request: the sign-in began at the IdP, which the connection allows.".to_owned()
        }
        SignInStep::Match => "It answers that request, in the browser that began it.".to_owned(),
        SignInStep::Decryption | SignInStep::Signature if !is_signed(entry) => return None,
        SignInStep::Decryption if entry.encrypted => "What was encrypted was decrypted.".to_owned(),
        SignInStep::Decryption => return None,
        SignInStep::Signature => {
            let algorithm = entry.algorithm.as_deref().unwrap_or("an accepted algorithm");
            match entry.certificate.as_deref() {
                Some(certificate) => {
                    format!("It is signed with {algorithm} by the certificate {certificate}.")
                }
                None => format!("It is signed with {algorithm} by a certificate of the connection."),
            }
        }
        SignInStep::Checks => match entry.clock_difference_ms {
            Some(ahead) => format!(
                "Issuer, audience, addresses and times are right; the IdP's clock differs by {}.",
                seconds(ahead)
            ),
            None => "Issuer, audience, addresses and times are right.".to_owned(),
        },
        SignInStep::Attributes => match entry.address.as_deref() {
            Some(address) => format!("It is about {address}."),
            None => return None,
        },
        SignInStep::Person if entry.outcome == SignInOutcome::Test => return None,
        SignInStep::Person => match (entry.created, entry.linked) {
            (true, _) => "The person became a member by it.".to_owned(),
            (false, true) => "The member with this address was linked to the IdP's subject.".to_owned(),
            (false, false) => "The person was known by the link of an earlier sign-in.".to_owned(),
        },
        SignInStep::Session if entry.outcome == SignInOutcome::Test => {
            "It was a test: nothing was made and nobody was signed in.".to_owned()
        }
        SignInStep::Session => {
            let session = entry.session_id?;
            format!("The session {session} began.")
        }
    };
    Some(text)
}

/// Milliseconds as people say them: `+1.5 s`.
pub fn seconds(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { '-' } else { '+' };
    let magnitude = milliseconds.unsigned_abs();
    format!("{sign}{}.{} s", magnitude / 1_000, magnitude % 1_000 / 100)
}
