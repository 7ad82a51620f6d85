//! Why a sign-in was refused, for two readers: the administrator gets the code, what was expected and found, and
//! the field to change; the person at the browser gets plain words, what to check, and the reference by which the
//! administrator finds the rest. What a stranger posted never reaches a page.

use super::codes;
use crate::model::email::EmailAddressError;
use crate::model::random::Random;
use crate::model::state::PendingLinkReason;
use crate::model::time::Timestamp;
use crate::protocol::saml::{Console, SamlRefusal};
use crate::service::pending_links::Wanted;

/// The code of whatever fails once a private key of ours was used.
pub const DECRYPTION_FAILED: &str = "decryption_failed";

/// A reason to refuse a sign-in.
#[derive(Debug)]
pub enum Reason {
    /// The response itself is not good.
    Saml(SamlRefusal),
    /// Nobody signs in through this connection now.
    ConnectionInactive,
    /// The connection was changed while the response was verified.
    ConnectionChanged,
    /// No request of ours at this connection has this id.
    UnknownRequest,
    /// Another browser began this sign-in.
    OtherBrowser {
        /// Whether this one brought a cookie at all.
        cookie: bool,
    },
    /// The request was answered before.
    AttemptUsed,
    /// The answer came too late.
    AttemptExpired { at: Timestamp },
    /// The assertion signed somebody in before.
    AssertionUsed,
    /// What the IdP calls the address is none that can be used.
    AddressInvalid { found: String, error: EmailAddressError },
    /// The asserted address is outside what the connection speaks for (rule 6).
    ForeignDomain { domain: String, served: Vec<String> },
    /// The address that the linked user holds is outside of it.
    ForeignHolder { served: Vec<String> },
    /// Access was ended (rules 8 and 11).
    Deprovisioned { how: &'static str },
    /// The address belongs to somebody with another subject (rule 7).
    SubjectConflict { how: &'static str },
    /// An owner links only by themselves, signed in (rule 10a).
    OwnerLink,
    /// The organization links nobody by the address.
    FirstLinkOff,
    /// An administrator has to say first that it is this member (rule 7).
    LinkPending(Box<Wanted>),
    /// An administrator said that it is not this member.
    LinkDismissed,
    /// The IdP took its own session for a step-up.
    StepUpStale { asked: Timestamp, found: Timestamp },
    /// Somebody else than the person of the session came back from a step-up.
    StepUpOtherPerson,
    /// The session ended during its step-up.
    StepUpSessionOver,
    /// Nobody is made just in time.
    JitOff { how: &'static str },
}

fn list(domains: &[String]) -> String {
    if domains.is_empty() { "none".to_owned() } else { domains.join(", ") }
}

impl Reason {
    /// A stable name. Never changed once released.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Saml(refusal) => refusal.code(),
            Self::ConnectionInactive => "connection_inactive",
            Self::ConnectionChanged => "connection_changed",
            Self::UnknownRequest => "unknown_request",
            Self::OtherBrowser { .. } => "other_browser",
            Self::AttemptUsed => "attempt_used",
            Self::AttemptExpired { .. } => "attempt_expired",
            Self::AssertionUsed => "assertion_used",
            Self::AddressInvalid { .. } => "address_invalid",
            Self::ForeignDomain { .. } | Self::ForeignHolder { .. } => "foreign_domain",
            Self::Deprovisioned { .. } => "deprovisioned",
            Self::SubjectConflict { .. } => "subject_conflict",
            Self::OwnerLink => "owner_link_refused",
            Self::FirstLinkOff => "first_link_off",
            Self::LinkPending(_) => "link_pending",
            Self::LinkDismissed => "link_dismissed",
            Self::StepUpStale { .. } => "step_up_stale",
            Self::StepUpOtherPerson => "step_up_other_person",
            Self::StepUpSessionOver => "step_up_session_over",
            Self::JitOff { .. } => "jit_off",
        }
    }

    /// What was expected and found, for the sign-in log.
    fn detail(&self) -> String {
        match self {
            Self::Saml(refusal) => refusal.to_string(),
            Self::ConnectionInactive => "the connection is not active".to_owned(),
            Self::ConnectionChanged => "the connection was changed during the sign-in".to_owned(),
            Self::UnknownRequest => {
                "the response answers no request that was made for this connection, or one long forgotten"
                    .to_owned()
            }
            Self::OtherBrowser { cookie: true } => {
                "the response came from another browser than the one that began this sign-in".to_owned()
            }
            Self::OtherBrowser { cookie: false } => {
                "the browser did not bring the cookie that it was given when it began this sign-in".to_owned()
            }
            Self::AttemptUsed => "the request was answered before".to_owned(),
            Self::AttemptExpired { at } => format!("the request had to be answered by {at}"),
            Self::AssertionUsed => "the assertion was used before, and each is good for once".to_owned(),
            Self::AddressInvalid { found, error } => format!("the address {found:?} cannot be used: {error}"),
            Self::ForeignDomain { domain, served } => format!(
                "expected an address on a verified domain of this connection ({}), found one on {domain}",
                list(served)
            ),
            Self::ForeignHolder { served } => format!(
                "the subject is linked to a user whose own address is not on a verified domain of this connection ({})",
                list(served)
            ),
            Self::Deprovisioned { how } | Self::SubjectConflict { how } | Self::JitOff { how } => {
                (*how).to_owned()
            }
            Self::OwnerLink => {
                "an owner is not linked by the IdP's word alone, and nobody was signed in as this owner"
                    .to_owned()
            }
            Self::FirstLinkOff => {
                "the member is not linked to this connection, and first_link of the organization is off"
                    .to_owned()
            }
            Self::LinkPending(wanted) => match wanted.because {
                PendingLinkReason::FirstLink => {
                    "the member with this address is not linked to this connection, and first_link of the organization \
                     asks for an administrator's confirmation"
                }
                PendingLinkReason::OtherSubject => {
                    "the member with this address is linked to another subject at this connection, and no administrator \
                     has confirmed this one"
                }
            }
            .to_owned(),
            Self::StepUpStale { asked, found } => format!(
                "expected that the person signed in at the IdP after we asked at {asked} (ForceAuthn), found an \
                 AuthnInstant of {found}"
            ),
            Self::StepUpOtherPerson => {
                "the assertion is not about the person of the session that was to be stepped up".to_owned()
            }
            Self::StepUpSessionOver => "the session that was to be stepped up has ended".to_owned(),
            Self::LinkDismissed => {
                "an administrator dismissed the link between this subject and the member with this address"
                    .to_owned()
            }
        }
    }

    /// What an administrator can do.
    fn next_step(&self, console: Console) -> String {
        match self {
            Self::Saml(refusal) => return refusal.next_step(console),
            Self::ConnectionInactive => "Activate the connection.",
            Self::ConnectionChanged | Self::AttemptUsed | Self::AttemptExpired { .. } => {
                "Nothing, if it stays the exception: the person signs in again from the start."
            }
            Self::UnknownRequest => {
                "Have the person start at the sign-in page. If it happens to everybody, compare the assertion consumer \
                 service URL at the IdP with the one of this connection."
            }
            Self::OtherBrowser { cookie: true } => {
                "Ask the person whether they followed a link from somebody else; if so, somebody tried to sign them in \
                 as another person."
            }
            Self::OtherBrowser { cookie: false } => {
                "Check that the browser keeps cookies, and that people reach this server at its public URL."
            }
            Self::AssertionUsed => {
                "Ask the person whether they sent the page twice. If not, somebody replayed a response: look at the IdP's \
                 own log."
            }
            Self::AddressInvalid { .. } => return SamlRefusal::NoEmail {
                name_id_format: String::new(),
                attributes: Vec::new(),
            }
            .next_step(console),
            Self::ForeignDomain { .. } => {
                "If the domain is yours, claim and verify it and assign it to this connection; else correct the person's \
                 address at the IdP."
            }
            Self::ForeignHolder { .. } => {
                "The person's address was changed to one outside your domains: change it back, or let an owner relink them."
            }
            Self::Deprovisioned { .. } => "Whoever ended the access, or an owner, gives it back.",
            Self::SubjectConflict { .. } => {
                "Give one of the two another address; if it is the same person, correct the address of the member."
            }
            Self::OwnerLink => {
                "The owner signs in to this organization in another way first, then begins the sign-in at our sign-in page \
                 in the same browser."
            }
            Self::FirstLinkOff => {
                "Set first_link of the organization to address or confirm, or sign in in another way."
            }
            Self::LinkPending(_) => {
                "If it is the same person, confirm the pending link, then the person signs in again; if it is somebody \
                 else, dismiss it and give one of the two another address."
            }
            Self::StepUpStale { .. } => {
                "Have the IdP honor ForceAuthn: it must ask the person again, and say when in AuthnInstant. If the clocks \
                 differ, set them right."
            }
            Self::StepUpOtherPerson => {
                "The person signs in at the IdP with the account that they are signed in with here."
            }
            Self::StepUpSessionOver => "The person signs in again, then steps up once more.",
            Self::LinkDismissed => {
                "If it is the same person after all, confirm the link that was dismissed; else give one of the two \
                 another address."
            }
            Self::JitOff { .. } => {
                "Add or invite the person, provision them over SCIM, or switch just-in-time provisioning on for the \
                 organization and the domain."
            }
        }
        .to_owned()
    }
}

/// A refusal, as it is written down and shown.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// A stable name.
    pub code: &'static str,
    /// By which the record is found: eight letters and digits that are not mistaken for one another.
    pub reference: String,
    /// What was expected and found: for the sign-in log only.
    pub detail: String,
    /// What an administrator can do: for the sign-in log only.
    pub next_step: String,
    /// What happened, for the person.
    pub reason: &'static str,
    /// What the person can check or do.
    pub check: &'static str,
    /// Whether an administrator of the organization reads the page, who may see the details at once.
    pub for_admin: bool,
}

impl Refusal {
    pub(super) fn new(reason: &Reason, console: Console, random: &dyn Random) -> Self {
        let said = codes::of(reason.code());
        Self {
            code: reason.code(),
            reference: reference(random),
            detail: reason.detail(),
            next_step: reason.next_step(console),
            reason: said.plain,
            check: said.check,
            for_admin: false,
        }
    }
}

/// `K7QF-2M9D`: 40 bits, enough to be unique in a log; without I, L, O, U, 0 and 1.
pub(in crate::service) fn reference(random: &dyn Random) -> String {
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ@#";
    const LETTERS: usize = 30;
    let mut out = String::with_capacity(9);
    while out.len() < 9 {
        let mut bytes = [0_u8; 16];
        random.fill(&mut bytes);
        for at in bytes.map(|byte| usize::from(byte & 31)) {
            if at < LETTERS && out.len() < 9 {
                out.push(char::from(ALPHABET[at]));
                if out.len() == 4 {
                    out.push('-');
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::SystemRandom;

    #[test]
    fn a_page_never_shows_what_was_posted() {
        let refusal = Refusal::new(
            &Reason::Saml(SamlRefusal::WrongAudience {
                expected: "https://gate.example/saml/1".to_owned(),
                found: vec!["<script>".to_owned()],
            }),
            Console::Okta,
            &SystemRandom,
        );
        assert!(refusal.detail.contains("<script>"));
        assert!(!refusal.reason.contains("script") && !refusal.check.contains("script"));
        assert!(refusal.next_step.contains("Audience URI"), "{}", refusal.next_step);
    }

    #[test]
    fn references_have_no_letters_that_are_mistaken() {
        for _ in 0..50 {
            let text = reference(&SystemRandom);
            assert_eq!((text.len(), text.as_bytes()[4]), (9, b'-'), "{text}");
            assert!(!text.contains(['I', 'L', 'O', 'U', '0', '1', '@', '#']), "{text}");
        }
    }
}
