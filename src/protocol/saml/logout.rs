//! Single logout (saml-core-2.0-os 3.7, saml-profiles-2.0-os 4.4): log-out requests and responses, written with our
//! signature, and read only with the IdP's.
//!
//! A message that has no signature says nothing. One that came in a query is verified over the octets of the query, one
//! that was posted by the XML signature on its root, through the same scan, structure rules and two canonicalizations as a
//! sign-in; whatever is read afterwards is read from what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::certificate::Certificate;
use super::checks::{name_id, parse_time};
use super::metadata::LogoutBinding;
use super::own_key::RequestKey;
use super::redirect::{self, LARGEST_MESSAGE, LONGEST_RELAY_STATE, MessageKind, QueryError, QuerySignature};
use super::refusal::{SamlRefusal, shown};
use super::request::{RequestError, instant};
use super::response::NameId;
use super::scan::{Rules, ScanError, scan};
use super::signature::{self, SignatureAlgorithm, SignatureVerifier};
use super::structure::{self, Structure};
use super::xml::{Document, ElementId, escape, ns};
use super::{enveloped, request};

/// How old a message may be when it arrives, beside the difference of clocks.
pub const LONGEST_ON_ITS_WAY: Duration = Duration::minutes(5);
const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
/// How many sessions one request names at most.
const MOST_SESSIONS: usize = 100;
const LONGEST_SESSION_INDEX: usize = 1024;

/// Why a log-out message counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogoutRefusal {
    /// It cannot be read.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// It is not XML of the kind that is let in.
    #[error("the message is not acceptable XML: {0}")]
    Xml(#[from] ScanError),
    /// It has another form than SAML gives it.
    #[error("{problem}")]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
    /// It has no signature.
    #[error("the message is not signed")]
    Unsigned,
    /// It has one that is not the IdP's, or not of a kind that is taken.
    #[error("{0}")]
    NotGenuine(SamlRefusal),
    /// Nobody can judge it now; says nothing of the message.
    #[error("the signature verifier is not to be had: {0}")]
    Unavailable(String),
    /// From somebody else.
    #[error("expected the issuer {expected}, found {found}")]
    WrongIssuer {
        /// The IdP's entity id.
        expected: String,
        /// What was found.
        found: String,
    },
    /// For somebody else.
    #[error("expected the destination {expected}, found {found}")]
    WrongDestination {
        /// Our address.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Too old, over, or from the future.
    #[error("{what} is {at}, and it is {now} here")]
    Untimely {
        /// Which time.
        what: &'static str,
        /// The time found.
        at: OffsetDateTime,
        /// Our time.
        now: OffsetDateTime,
    },
    /// It names the person in a way that cannot be read.
    #[error("the message names the person by {found}, and a plain NameID is read")]
    NoNameId {
        /// What was found.
        found: String,
    },
}

impl LogoutRefusal {
    /// A stable name. Never changed once released.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Query(_) | Self::Xml(_) | Self::Malformed { .. } => "logout_unreadable",
            Self::Unsigned => "logout_unsigned",
            Self::NotGenuine(_) | Self::Unavailable(_) => "logout_not_genuine",
            Self::WrongIssuer { .. } => "logout_wrong_issuer",
            Self::WrongDestination { .. } => "logout_wrong_destination",
            Self::Untimely { .. } => "logout_untimely",
            Self::NoNameId { .. } => "logout_no_name_id",
        }
    }
}

impl From<SamlRefusal> for LogoutRefusal {
    fn from(refusal: SamlRefusal) -> Self {
        match refusal {
            SamlRefusal::Unsigned => Self::Unsigned,
            SamlRefusal::VerifierUnavailable { problem } => Self::Unavailable(problem),
            SamlRefusal::BadId { .. } | SamlRefusal::Missing { .. } | SamlRefusal::BadValue { .. } => {
                Self::Malformed { problem: refusal.to_string() }
            }
            other => Self::NotGenuine(other),
        }
    }
}

fn malformed<T>(problem: impl Into<String>) -> Result<T, LogoutRefusal> {
    Err(LogoutRefusal::Malformed { problem: problem.into() })
}

/// What a NameID says beside its value: to be sent back as it came (saml-core-2.0-os 2.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameIdAttributes {
    /// The format's URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whose name it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_qualifier: Option<String>,
    /// For whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_name_qualifier: Option<String>,
}

impl NameIdAttributes {
    const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether two NameIDs of the same value at the same IdP can be the same: what one of them leaves open the other may say.
    pub fn fits(&self, other: &Self) -> bool {
        let open =
            |text: &Option<String>| text.as_deref().is_none_or(|t| t.is_empty() || t == Self::UNSPECIFIED);
        let same = |a: &Option<String>, b: &Option<String>| open(a) || open(b) || a == b;
        same(&self.format, &other.format)
            && same(&self.name_qualifier, &other.name_qualifier)
            && same(&self.sp_name_qualifier, &other.sp_name_qualifier)
    }
}

/// What a message must match; all of it is the connection's.
#[derive(Debug, Clone)]
pub struct LogoutExpectations {
    /// The IdP's entity id.
    pub idp_entity_id: String,
    /// Our single logout address.
    pub slo_url: String,
    /// The IdP's signing certificates.
    pub certificates: Vec<Certificate>,
    /// How far the clocks may differ.
    pub clock_skew: Duration,
}

/// What the IdP asks for: that these sessions of this person end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutAsked {
    /// The request's id.
    pub id: String,
    /// Whose.
    pub name_id: NameId,
    /// Which; all of the person's if none is named.
    pub session_indexes: Vec<String>,
    /// Until when it must be remembered as used.
    pub replay_until: OffsetDateTime,
}

/// How far single logout came, by the IdP's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutOutcome {
    /// Everywhere.
    Complete,
    /// Not with every service (second-level status `PartialLogout`).
    Partial,
    /// The IdP would not, or could not.
    Failed {
        /// Its status codes, without their common prefix.
        status: String,
    },
}

/// A message that the IdP has truly sent to us, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifiedLogout {
    /// A request.
    Asked(LogoutAsked),
    /// The answer to a request of ours.
    Answered {
        /// To which.
        in_response_to: String,
        /// How it went.
        outcome: LogoutOutcome,
    },
}

/// A message that can be read; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedLogout {
    kind: MessageKind,
    xml: String,
    relay_state: Option<String>,
    /// By query or by form.
    in_query: bool,
    signature: Option<QuerySignature>,
}

impl ArrivedLogout {
    /// Reads a message from the query of the request, as it was sent.
    ///
    /// # Errors
    /// [`LogoutRefusal::Query`].
    pub fn from_query(query: &str) -> Result<Self, LogoutRefusal> {
        let read = redirect::read(query)?;
        Ok(Self {
            kind: read.kind,
            xml: read.xml,
            relay_state: read.relay_state,
            in_query: true,
            signature: read.signature,
        })
    }

    /// Reads a message from the fields of a form.
    ///
    /// # Errors
    /// [`LogoutRefusal::Query`].
    pub fn from_form(fields: &[(String, String)]) -> Result<Self, LogoutRefusal> {
        let one = |wanted: &'static str| -> Result<Option<&str>, QueryError> {
            let mut found = fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (one, None) => Ok(one),
                _ => Err(QueryError::Twice(wanted)),
            }
        };
        let (kind, value) = match (one("SAMLRequest")?, one("SAMLResponse")?) {
            (Some(value), None) => (MessageKind::Request, value),
            (None, Some(value)) => (MessageKind::Response, value),
            _ => return Err(QueryError::Messages.into()),
        };
        let relay_state = one("RelayState")?.map(str::to_owned);
        if relay_state.as_ref().is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
            return Err(QueryError::RelayState.into());
        }
        if value.len() > 2 * LARGEST_MESSAGE {
            return Err(QueryError::TooLarge.into());
        }
        let plain: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(plain).map_err(|_| QueryError::NotBase64)?;
        if bytes.len() > LARGEST_MESSAGE {
            return Err(QueryError::TooLarge.into());
        }
        let xml = String::from_utf8(bytes).map_err(|_| QueryError::NotUtf8)?;
        Ok(Self { kind, xml, relay_state, in_query: false, signature: None })
    }

    /// The state to send back with an answer.
    pub fn relay_state(&self) -> Option<&str> {
        self.relay_state.as_deref()
    }

    /// Verifies the message. Blocks: run it with `spawn_blocking`.
    ///
    /// # Errors
    /// [`LogoutRefusal`].
    pub fn verify(
        &self,
        verifier: &dyn SignatureVerifier,
        expected: &LogoutExpectations,
        now: OffsetDateTime,
    ) -> Result<VerifiedLogout, LogoutRefusal> {
        let doc = scan(&self.xml, Rules::MESSAGE)?;
        self.check_root(&doc)?;
        structure::check_ids(&doc)?;
        let signatures: Vec<ElementId> = doc.all().filter(|id| doc.is(*id, ns::DSIG, "Signature")).collect();
        if self.in_query {
            if !signatures.is_empty() {
                return malformed("a message in a query has no XML signature (saml-bindings-2.0-os 3.4.4.1)");
            }
            let signature = self.signature.as_ref().ok_or(LogoutRefusal::Unsigned)?;
            verify_query(signature, &expected.certificates)?;
            return self.read(&doc, expected, now);
        }
        let [only] = signatures[..] else {
            return if signatures.is_empty() {
                Err(LogoutRefusal::Unsigned)
            } else {
                malformed("the message holds several signatures")
            };
        };
        let behind_issuer = doc.children(doc.root()).take_while(|id| *id != only);
        if doc.element(only).parent != Some(doc.root())
            || behind_issuer.into_iter().any(|id| !doc.is(id, ns::SAML, "Issuer"))
        {
            return malformed("the signature does not stand in the root, right behind the issuer");
        }
        let parts = structure::take_apart(&doc, only, doc.root())?;
        let structure = Structure { response: doc.root(), encrypted: None, signatures: vec![parts] };
        let (bytes, _) =
            signature::verify_with(verifier, &self.xml, &doc, &structure, &expected.certificates)?;
        let verified = scan(&bytes, Rules::MESSAGE)?;
        self.check_root(&verified)?;
        self.read(&verified, expected, now)
    }

    fn check_root(&self, doc: &Document<'_>) -> Result<(), LogoutRefusal> {
        let wanted = match self.kind {
            MessageKind::Request => "LogoutRequest",
            MessageKind::Response => "LogoutResponse",
        };
        if doc.is(doc.root(), ns::SAMLP, wanted) {
            return Ok(());
        }
        malformed(format!(
            "expected a samlp:{wanted}, found {}",
            shown(&doc.element(doc.root()).qualified_name())
        ))
    }

    fn read(
        &self,
        doc: &Document<'_>,
        expected: &LogoutExpectations,
        now: OffsetDateTime,
    ) -> Result<VerifiedLogout, LogoutRefusal> {
        let root = doc.root();
        let element = doc.element(root);
        if element.attribute("Version") != Some("2.0") {
            return malformed("the message is not of SAML version 2.0");
        }
        let Some(id) = element.attribute("ID").filter(|id| !id.is_empty()) else {
            return malformed("the message has no ID");
        };
        let mut issuers = doc.children_named(root, ns::SAML, "Issuer");
        let issuer = match (issuers.next(), issuers.next()) {
            (Some(only), None) => doc.text(only),
            _ => return malformed("the message must have one Issuer"),
        };
        if issuer.trim() != expected.idp_entity_id {
            let expected = expected.idp_entity_id.clone();
            return Err(LogoutRefusal::WrongIssuer { expected, found: shown(&issuer) });
        }
        // A signed message must have it (saml-bindings-2.0-os 3.4.5.2 and 3.5.5.2).
        let destination = element.attribute("Destination").unwrap_or_default();
        if destination != expected.slo_url {
            let expected = expected.slo_url.clone();
            return Err(LogoutRefusal::WrongDestination { expected, found: shown(destination) });
        }
        let what = "the message's IssueInstant";
        let Some(issued) = element.attribute("IssueInstant") else {
            return malformed("there is no IssueInstant");
        };
        let issued = parse_time(what, issued)?;
        let usable_until = issued.saturating_add(LONGEST_ON_ITS_WAY).saturating_add(expected.clock_skew);
        if issued - now > expected.clock_skew || usable_until <= now {
            return Err(LogoutRefusal::Untimely { what, at: issued, now });
        }
        match self.kind {
            MessageKind::Request => {
                if let Some(end) = element.attribute("NotOnOrAfter") {
                    let what = "the message's NotOnOrAfter";
                    let at = parse_time(what, end)?;
                    if now - at >= expected.clock_skew {
                        return Err(LogoutRefusal::Untimely { what, at, now });
                    }
                }
                asked(doc, id, usable_until).map(VerifiedLogout::Asked)
            }
            MessageKind::Response => {
                let Some(in_response_to) = element.attribute("InResponseTo").filter(|id| !id.is_empty())
                else {
                    return malformed("the answer has no InResponseTo");
                };
                let in_response_to = in_response_to.to_owned();
                Ok(VerifiedLogout::Answered { in_response_to, outcome: outcome(doc)? })
            }
        }
    }
}

fn asked(doc: &Document<'_>, id: &str, replay_until: OffsetDateTime) -> Result<LogoutAsked, LogoutRefusal> {
    let root = doc.root();
    for other in ["BaseID", "EncryptedID"] {
        if doc.child(root, ns::SAML, other).is_some() {
            return Err(LogoutRefusal::NoNameId { found: other.to_owned() });
        }
    }
    if doc.child(root, ns::SAML, "NameID").is_none() {
        return Err(LogoutRefusal::NoNameId { found: "nothing".to_owned() });
    }
    let name_id = name_id(doc, root)?;
    let mut session_indexes = Vec::new();
    for index in doc.children_named(root, ns::SAMLP, "SessionIndex") {
        let text = doc.text(index).trim().to_owned();
        if text.is_empty()
            || text.chars().count() > LONGEST_SESSION_INDEX
            || doc.children(index).next().is_some()
        {
            return malformed("a SessionIndex cannot be read");
        }
        session_indexes.push(text);
    }
    if session_indexes.len() > MOST_SESSIONS {
        return malformed(format!("the request names more than {MOST_SESSIONS} sessions"));
    }
    Ok(LogoutAsked { id: id.to_owned(), name_id, session_indexes, replay_until })
}

fn outcome(doc: &Document<'_>) -> Result<LogoutOutcome, LogoutRefusal> {
    let code = |parent: ElementId| doc.child(parent, ns::SAMLP, "StatusCode");
    let status = doc.child(doc.root(), ns::SAMLP, "Status");
    let Some(outer) = status.and_then(code) else { return malformed("the answer has no StatusCode") };
    let value = |id: ElementId| {
        let value = doc.element(id).attribute("Value").unwrap_or_default();
        value.strip_prefix(STATUS).unwrap_or(value)
    };
    let inner = code(outer);
    Ok(if inner.is_some_and(|inner| value(inner) == "PartialLogout") {
        LogoutOutcome::Partial
    } else if value(outer) == "Success" {
        LogoutOutcome::Complete
    } else {
        let inner = inner.map(|inner| format!(" / {}", value(inner))).unwrap_or_default();
        LogoutOutcome::Failed { status: shown(&format!("{}{inner}", value(outer))) }
    })
}

/// Whether one of these certificates made the signature of a query; one certificate at a time.
fn verify_query(signature: &QuerySignature, certificates: &[Certificate]) -> Result<(), LogoutRefusal> {
    let algorithm = SignatureAlgorithm::from_uri(&signature.algorithm)?;
    if certificates.is_empty() {
        return Err(LogoutRefusal::NotGenuine(SamlRefusal::NoCertificates));
    }
    let made = |certificate: &Certificate| {
        signature::is_made_by(certificate, algorithm, &signature.value, signature.signed.as_bytes(), true)
    };
    if certificates.iter().any(made) {
        return Ok(());
    }
    Err(LogoutRefusal::NotGenuine(SamlRefusal::SignatureMismatch {
        configured: certificates.iter().map(|c| c.fingerprint().to_owned()).collect(),
        presented: None,
    }))
}

/// What we say to the IdP.
#[derive(Debug, Clone)]
pub enum Saying<'a> {
    /// End this session.
    Request {
        /// The person, in the IdP's own words.
        name_id: &'a str,
        /// What the NameID said beside that.
        attributes: &'a NameIdAttributes,
        /// The session, in the IdP's own words.
        session_index: Option<&'a str>,
    },
    /// What was asked for is done.
    Done {
        /// The id of the IdP's request.
        in_response_to: &'a str,
    },
}

/// A log-out message of ours.
#[derive(Debug, Clone)]
pub struct LogoutMessage<'a> {
    /// Its id, from [`request::request_id`].
    pub id: &'a str,
    /// Now.
    pub issue_instant: OffsetDateTime,
    /// Our entity id for this connection.
    pub sp_entity_id: &'a str,
    /// Where it goes.
    pub destination: &'a str,
    /// What it says.
    pub saying: Saying<'a>,
}

/// A message on its way through the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// To this address.
    Redirect(Url),
    /// By a form that posts these fields to this address.
    Post {
        /// The address.
        action: String,
        /// Names and values.
        fields: Vec<(&'static str, String)>,
    },
}

impl LogoutMessage<'_> {
    /// The message as XML, unsigned.
    pub fn to_xml(&self) -> String {
        let head = |name: &str, more: &str| {
            format!(
                "<samlp:{name} xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"{}\" Version=\"2.0\" IssueInstant=\"{}\" \
                 Destination=\"{}\"{more}><saml:Issuer>{}</saml:Issuer>",
                ns::SAMLP,
                ns::SAML,
                escape(self.id),
                instant(self.issue_instant),
                escape(self.destination),
                escape(self.sp_entity_id),
            )
        };
        match &self.saying {
            Saying::Request { name_id, attributes, session_index } => {
                let end = instant(self.issue_instant.saturating_add(LONGEST_ON_ITS_WAY));
                let mut out = head("LogoutRequest", &format!(" NotOnOrAfter=\"{end}\""));
                out.push_str("<saml:NameID");
                for (name, value) in [
                    ("Format", &attributes.format),
                    ("NameQualifier", &attributes.name_qualifier),
                    ("SPNameQualifier", &attributes.sp_name_qualifier),
                ] {
                    if let Some(value) = value {
                        let _ = write!(out, " {name}=\"{}\"", escape(value));
                    }
                }
                let _ = write!(out, ">{}</saml:NameID>", escape(name_id));
                if let Some(index) = session_index {
                    let _ = write!(out, "<samlp:SessionIndex>{}</samlp:SessionIndex>", escape(index));
                }
                out.push_str("</samlp:LogoutRequest>");
                out
            }
            Saying::Done { in_response_to } => format!(
                "{}<samlp:Status><samlp:StatusCode Value=\"{STATUS}Success\"/></samlp:Status></samlp:LogoutResponse>",
                head("LogoutResponse", &format!(" InResponseTo=\"{}\"", escape(in_response_to)))
            ),
        }
    }

    /// The message on its way, signed.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn send(
        &self,
        binding: LogoutBinding,
        relay_state: Option<&str>,
        key: &RequestKey,
    ) -> Result<Sending, RequestError> {
        let kind = match self.saying {
            Saying::Request { .. } => MessageKind::Request,
            Saying::Done { .. } => MessageKind::Response,
        };
        let xml = self.to_xml();
        match binding {
            LogoutBinding::Redirect => {
                redirect::address(self.destination, kind, &xml, relay_state, Some(key)).map(Sending::Redirect)
            }
            LogoutBinding::Post => {
                Url::parse(self.destination)
                    .map_err(|_| RequestError::BadUrl(self.destination.chars().take(200).collect()))?;
                let signed = enveloped::sign(&xml, self.id, key)?;
                let mut fields = vec![(kind.parameter(), STANDARD.encode(signed))];
                if let Some(state) = relay_state {
                    fields.push(("RelayState", state.to_owned()));
                }
                Ok(Sending::Post { action: self.destination.to_owned(), fields })
            }
        }
    }
}

/// Makes the id of a message from 160 random bits of the caller's.
pub fn message_id(random: [u8; 20]) -> String {
    request::request_id(random)
}
