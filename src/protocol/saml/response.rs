//! From the posted form value to a [`VerifiedAssertion`], which only this module can make.
//!
//! Order: size, base64, UTF-8, strict scan, status, structure rules, signature; then every value is read from the
//! bytes that were signed, scanned again, and all checks of the profile are made ([`PostedResponse::examine`]). Last
//! the signature library must come to the same bytes ([`Unconfirmed::confirm`]). Using an assertion once is the
//! caller's part (see [`VerifiedAssertion::replay_until`]).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::{Duration, OffsetDateTime};

use super::certificate::Certificate;
use super::claims::Claims;
use super::encryption::DecryptionKey;
use super::logout::NameIdAttributes;
use super::refusal::{SamlRefusal, shown};
use super::scan::{Rules, scan};
use super::signature::{self, Question, SignatureVerifier, SignedBy, VerifierError, XmlsecVerifier};
use super::xml::{Document, ElementId, ns};
use super::{checks, encryption, structure};

/// The largest form value in bytes, still base64.
pub const LARGEST_FORM_VALUE: usize = 1_500_000;

/// What the response must match; all of it comes from the connection and the sign-in attempt, nothing from the post.
#[derive(Debug, Clone)]
pub struct Expectations {
    /// The IdP's entity id, as both Issuers.
    pub idp_entity_id: String,
    /// Our entity id for this connection, as audience.
    pub sp_entity_id: String,
    /// Our assertion consumer service URL, as Destination and Recipient.
    pub acs_url: String,
    /// The connection's active signing certificates, newest first if known.
    pub certificates: Vec<Certificate>,
    /// Our keys that an assertion may be encrypted to, the current one first.
    pub decryption_keys: Arc<[DecryptionKey]>,
    /// Whether an assertion that is not encrypted is refused.
    pub require_encryption: bool,
    /// The authentication context classes that are accepted; any if none are named.
    pub authn_contexts: Arc<[String]>,
    /// The id of the request this browser started; none where a sign-in that begins at the IdP is taken, and then
    /// nothing in the response may name a request.
    pub request_id: Option<String>,
    /// How far the clocks may differ; usually [`Expectations::USUAL_SKEW`].
    pub clock_skew: Duration,
}

impl Expectations {
    /// 60 seconds.
    pub const USUAL_SKEW: Duration = Duration::seconds(60);
}

/// The kind of a NameID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameIdFormat {
    /// A lasting opaque name for the person at this service.
    Persistent,
    /// A name for this session only.
    Transient,
    /// An e-mail address.
    EmailAddress,
    /// Nothing said, or "unspecified".
    Unspecified,
    /// Another format's URI.
    Other(String),
}

impl NameIdFormat {
    /// Reads a Format URI.
    pub fn from_uri(uri: &str) -> Self {
        match uri.trim() {
            "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" => Self::Persistent,
            "urn:oasis:names:tc:SAML:2.0:nameid-format:transient" => Self::Transient,
            "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
            // Not in the specification, but sent.
            | "urn:oasis:names:tc:SAML:2.0:nameid-format:emailAddress" => Self::EmailAddress,
            ""
            | "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
            | "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified" => Self::Unspecified,
            other => Self::Other(shown(other)),
        }
    }

    /// A short name for messages.
    pub fn label(&self) -> &str {
        match self {
            Self::Persistent => "persistent",
            Self::Transient => "transient",
            Self::EmailAddress => "emailAddress",
            Self::Unspecified => "unspecified",
            Self::Other(uri) => uri,
        }
    }
}

/// Who signed in, in the IdP's words. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameId {
    /// The name.
    pub value: String,
    /// Its kind.
    pub format: NameIdFormat,
    /// What it says beside its value, as it came.
    pub attributes: NameIdAttributes,
}

/// One attribute of the assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionAttribute {
    /// Its name, often a URI.
    pub name: String,
    /// A name for people. Says nothing binding.
    pub friendly_name: Option<String>,
    /// Its values, trimmed, without nil ones.
    pub values: Vec<String>,
}

/// What an IdP has truly said about a person, to us, now, in answer to our request or where none is asked for.
#[derive(Debug, Clone)]
pub struct VerifiedAssertion {
    facts: Arc<Facts>,
    replay_until: OffsetDateTime,
}

#[derive(Debug)]
struct Facts {
    issuer: String,
    issue_instant: OffsetDateTime,
    signed_by: SignedBy,
    name_id: NameId,
    attributes: Vec<AssertionAttribute>,
    assertion_id: String,
    not_on_or_after: OffsetDateTime,
    session_not_on_or_after: Option<OffsetDateTime>,
    session_index: Option<String>,
    authn_instant: OffsetDateTime,
    authn_context_class_ref: Option<String>,
    in_response_to: Option<String>,
    encrypted: bool,
}

impl VerifiedAssertion {
    /// The IdP's entity id.
    pub fn issuer(&self) -> &str {
        &self.facts.issuer
    }

    /// When the IdP wrote the assertion, by its own clock.
    pub fn issue_instant(&self) -> OffsetDateTime {
        self.facts.issue_instant
    }

    /// Which of the connection's certificates verified it.
    pub fn signed_by(&self) -> &SignedBy {
        &self.facts.signed_by
    }

    /// The subject's name.
    pub fn name_id(&self) -> &NameId {
        &self.facts.name_id
    }

    /// All attributes in order.
    pub fn attributes(&self) -> &[AssertionAttribute] {
        &self.facts.attributes
    }

    /// The assertion's ID, for the replay store; unique at this IdP.
    pub fn assertion_id(&self) -> &str {
        &self.facts.assertion_id
    }

    /// When the assertion ends, by its own word.
    pub fn not_on_or_after(&self) -> OffsetDateTime {
        self.facts.not_on_or_after
    }

    /// Until when the replay store must remember the assertion: its end plus the allowed difference of clocks.
    pub fn replay_until(&self) -> OffsetDateTime {
        self.replay_until
    }

    /// When the IdP wants the session to end, if it says so.
    pub fn session_not_on_or_after(&self) -> Option<OffsetDateTime> {
        self.facts.session_not_on_or_after
    }

    /// The IdP's name for the session, for single logout.
    pub fn session_index(&self) -> Option<&str> {
        self.facts.session_index.as_deref()
    }

    /// When the person signed in at the IdP.
    pub fn authn_instant(&self) -> OffsetDateTime {
        self.facts.authn_instant
    }

    /// How the person signed in at the IdP.
    pub fn authn_context_class_ref(&self) -> Option<&str> {
        self.facts.authn_context_class_ref.as_deref()
    }

    /// The request that this answers; none if the sign-in began at the IdP.
    pub fn in_response_to(&self) -> Option<&str> {
        self.facts.in_response_to.as_deref()
    }

    /// Whether the assertion came encrypted.
    pub fn encrypted(&self) -> bool {
        self.facts.encrypted
    }
}

/// A posted response that can be read; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedResponse {
    text: String,
    in_response_to: Option<String>,
    encrypted: bool,
}

impl PostedResponse {
    /// Reads the value of the form field `SAMLResponse` strictly. Cheap: no cryptography.
    ///
    /// # Errors
    /// What makes the form value unreadable; never a wrong signature or content.
    pub fn read(form_value: &[u8]) -> Result<Self, SamlRefusal> {
        let text = decode(form_value)?;
        let doc = scan(&text, Rules::MESSAGE)?;
        let response = structure::root(&doc)?;
        let in_response_to = doc.element(response).attribute("InResponseTo").map(str::to_owned);
        let encrypted = doc.child(response, ns::SAML, "EncryptedAssertion").is_some();
        Ok(Self { text, in_response_to, encrypted })
    }

    /// How long it is, in bytes of XML.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// Whether a private key would be asked to decrypt something.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The request that the response claims to answer: good for finding the sign-in attempt, and for nothing else.
    pub fn in_response_to(&self) -> Option<&str> {
        self.in_response_to.as_deref()
    }

    /// What the response says, unverified and cut, for the log of a refusal.
    pub fn claims(&self) -> Claims {
        Claims::read(&self.text)
    }

    /// Verifies the response. Blocks: run it with `spawn_blocking`.
    ///
    /// # Errors
    /// [`SamlRefusal`]; nothing of a refused response may be used but for the sign-in log.
    pub fn verify(
        &self,
        expected: &Expectations,
        now: OffsetDateTime,
    ) -> Result<VerifiedAssertion, SamlRefusal> {
        self.verify_with(&XmlsecVerifier, expected, now)
    }

    /// As [`PostedResponse::verify`], with another signature library.
    ///
    /// # Errors
    /// As [`PostedResponse::verify`].
    pub fn verify_with(
        &self,
        verifier: &dyn SignatureVerifier,
        expected: &Expectations,
        now: OffsetDateTime,
    ) -> Result<VerifiedAssertion, SamlRefusal> {
        let unconfirmed = self.examine(expected, now)?;
        let ask = |question: &Question| verifier.signed_bytes(question.document(), question.certificate());
        let answers = unconfirmed.questions().iter().map(ask).collect();
        unconfirmed.confirm(answers)
    }

    /// Makes every check of ours, of signatures and content; what is left is to hear the signature library. Nothing but
    /// CPU, some tenths of a millisecond for the usual response, more for a long or an encrypted one.
    ///
    /// # Errors
    /// As [`PostedResponse::verify`].
    pub fn examine(&self, expected: &Expectations, now: OffsetDateTime) -> Result<Unconfirmed, SamlRefusal> {
        if expected.certificates.is_empty() {
            return Err(SamlRefusal::NoCertificates);
        }
        let doc = scan(&self.text, Rules::MESSAGE)?;
        // A failure carries no assertion and often no signature; what it says is for the log.
        checks::status(&doc, structure::root(&doc)?)?;
        let posted = structure::check(&doc)?;
        if let Some(encrypted) = posted.encrypted {
            return self.open((&doc, &posted, encrypted), expected, now);
        }
        if expected.require_encryption {
            return Err(SamlRefusal::NotEncrypted);
        }
        let (question, signed_by) = signature::verify(&self.text, &doc, &posted, &expected.certificates)?;

        let signed = scan(question.bytes(), Rules::MESSAGE)?;
        let by_response = posted.relied_on().is_some_and(|signature| signature.parent == posted.response);
        let assertion = signed_assertion(&signed, by_response)?;
        if by_response {
            checks::response(&signed, signed.root(), true, expected, now)?;
        } else {
            checks::response(&doc, posted.response, posted.response_signed(), expected, now)?;
        }
        let facts = checks::assertion(&signed, assertion, expected, now)?;
        let assertion = VerifiedAssertion::new(facts, signed_by, expected, false);
        Ok(Unconfirmed { assertion, questions: vec![question] })
    }

    /// Decrypts the assertion and checks it. In a signed response the ciphertext is taken from what was signed, so the
    /// assertion in it need not be signed again; if it is, that must be right too. In one that is not signed the
    /// assertion must be, and until that is proven nothing is told but that it failed.
    fn open(
        &self,
        (doc, posted, encrypted): (&Document<'_>, &structure::Structure, ElementId),
        expected: &Expectations,
        now: OffsetDateTime,
    ) -> Result<Unconfirmed, SamlRefusal> {
        let (keys, certificates) = (&expected.decryption_keys, &expected.certificates);
        let of_assertion = |question: &Question| {
            let signed = scan(question.bytes(), Rules::MESSAGE)?;
            checks::assertion(&signed, signed_assertion(&signed, false)?, expected, now)
        };
        let (facts, signed_by, questions) = if posted.response_signed() {
            let (outer, signed_by) = signature::verify(&self.text, doc, posted, certificates)?;
            let signed = scan(outer.bytes(), Rules::MESSAGE)?;
            let response = structure::root(&signed)?;
            checks::response(&signed, response, true, expected, now)?;
            let encrypted = structure::only_assertion(&signed, Some(response))?;
            let text = encryption::decrypt(&signed, encrypted, keys)?;
            let assertion = scan(&text, Rules::MESSAGE)?;
            let structure = structure::check_decrypted(&assertion)?;
            if structure.signatures.is_empty() {
                let facts = checks::assertion(&assertion, assertion.root(), expected, now)?;
                (facts, signed_by, vec![outer])
            } else {
                let (inner, signed_by) = signature::verify(&text, &assertion, &structure, certificates)?;
                (of_assertion(&inner)?, signed_by, vec![outer, inner])
            }
        } else {
            checks::response(doc, posted.response, false, expected, now)?;
            let text = encryption::decrypt(doc, encrypted, keys)?;
            let proven = || {
                let assertion = scan(&text, Rules::MESSAGE)?;
                let structure = structure::check_decrypted(&assertion)?;
                signature::verify(&text, &assertion, &structure, certificates)
            };
            let (inner, signed_by) = proven().map_err(|refusal| SamlRefusal::DecryptionFailed {
                other_key: None,
                inside: Some(Box::new(refusal)),
            })?;
            (of_assertion(&inner)?, signed_by, vec![inner])
        };
        let assertion = VerifiedAssertion::new(facts, signed_by, expected, true);
        Ok(Unconfirmed { assertion, questions })
    }
}

/// An assertion that is right by our own reckoning, until the signature library has said the same of every signature
/// that it rests on. Nothing can be read from it before.
#[derive(Debug)]
pub struct Unconfirmed {
    assertion: VerifiedAssertion,
    /// One or two.
    questions: Vec<Question>,
}

impl Unconfirmed {
    /// What to ask the library.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The assertion, if every question has its answer and all are what we reckoned.
    ///
    /// # Errors
    /// [`SamlRefusal::VerifierRefused`], [`SamlRefusal::VerifierUnavailable`].
    pub fn confirm(
        self,
        answers: Vec<Result<String, VerifierError>>,
    ) -> Result<VerifiedAssertion, SamlRefusal> {
        if self.questions.is_empty() || answers.len() != self.questions.len() {
            return Err(SamlRefusal::VerifierRefused { problem: "a signature was not asked for".to_owned() });
        }
        for (question, answer) in self.questions.iter().zip(answers) {
            question.confirm(answer)?;
        }
        Ok(self.assertion)
    }
}

impl VerifiedAssertion {
    fn new(facts: checks::Facts, signed_by: SignedBy, expected: &Expectations, encrypted: bool) -> Self {
        Self {
            replay_until: facts.not_on_or_after.saturating_add(expected.clock_skew),
            facts: Arc::new(Facts {
                issuer: facts.issuer,
                issue_instant: facts.issue_instant,
                signed_by,
                name_id: facts.name_id,
                attributes: facts.attributes,
                assertion_id: facts.id,
                not_on_or_after: facts.not_on_or_after,
                session_not_on_or_after: facts.session_not_on_or_after,
                session_index: facts.session_index,
                authn_instant: facts.authn_instant,
                authn_context_class_ref: facts.authn_context_class_ref,
                in_response_to: facts.in_response_to,
                encrypted,
            }),
        }
    }
}

/// Reads and verifies the value of the form field `SAMLResponse`, for whoever knows already what to expect.
///
/// # Errors
/// As [`PostedResponse::read`] and [`PostedResponse::verify`].
pub fn verify(
    form_value: &[u8],
    expected: &Expectations,
    now: OffsetDateTime,
) -> Result<VerifiedAssertion, SamlRefusal> {
    PostedResponse::read(form_value)?.verify(expected, now)
}

/// The one assertion in the verified bytes, whose root is the element that was signed: the response or itself.
fn signed_assertion(verified: &Document<'_>, in_response: bool) -> Result<ElementId, SamlRefusal> {
    let assertions: Vec<ElementId> =
        verified.all().filter(|id| verified.is(*id, ns::SAML, "Assertion")).collect();
    let around = if in_response { Some(structure::root(verified)?) } else { None };
    match assertions[..] {
        [only] if verified.element(only).parent == around => Ok(only),
        _ => Err(SamlRefusal::AssertionCount { found: assertions.len() }),
    }
}

fn decode(form_value: &[u8]) -> Result<String, SamlRefusal> {
    if form_value.len() > LARGEST_FORM_VALUE {
        return Err(SamlRefusal::TooLarge { limit: LARGEST_FORM_VALUE });
    }
    let bytes = if form_value.iter().any(u8::is_ascii_whitespace) {
        let stripped: Vec<u8> = form_value.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        STANDARD.decode(stripped)
    } else {
        STANDARD.decode(form_value)
    };
    let bytes = bytes.map_err(|_| SamlRefusal::NotBase64)?;
    let text = String::from_utf8(bytes).map_err(|_| SamlRefusal::NotUtf8)?;
    Ok(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text))
}
