//! Which fields each console has for our values, in the order of its page, and what belongs into them.

use super::super::{FieldValue, words};
use super::Facts;
use crate::model::saml::SamlNameIdFormat;
use crate::model::state::ConnectionType;

/// What belongs into a field of a console.
enum Wanted {
    EntityId,
    Acs,
    /// A regular expression that matches the ACS URL alone.
    AcsPattern,
    Metadata,
    SignIn,
    /// The IdP's own entity id, where the administrator makes it up.
    OwnEntityId,
    /// To be chosen in a list.
    Choose(&'static str),
    /// The NameID format that the connection asks for; what to choose if it asks for none.
    NameId(&'static str),
    /// Encryption, in the console's word for off.
    Encryption(&'static str),
    /// Whether the IdP is to demand signed requests.
    SignedRequests,
    Empty,
}

const AUDIENCE: &str = "our entity id, the audience of the assertion";
const CONSUMER: &str =
    "our assertion consumer service (binding HTTP-POST), destination and recipient of the response";
const OUR_METADATA: &str = "our metadata, which says the other two";
const BEGINNING: &str = "where a sign-in begins; not a part of SAML";
const NAME_ID: &str = "the format of the NameID in the subject";
const NAME_ID_VALUE: &str = "the NameID in the subject";
const ALGORITHM: &str = "SignatureMethod of the XML signature";
const DIGEST: &str = "DigestMethod of the XML signature";
const SIGNED: &str = "which elements carry a signature; one is enough";
const RELAY: &str = "a RelayState where nobody asked";
const ENCRYPTED: &str = "whether an EncryptedAssertion is sent";
const INITIATOR: &str = "which side begins";

/// The fields of a type's console, in the order of its page.
fn wanted(kind: ConnectionType) -> Vec<(&'static str, Wanted, &'static str)> {
    use Wanted::{
        Acs, AcsPattern, Choose, Empty, Encryption, EntityId, Metadata, NameId, OwnEntityId, SignIn,
        SignedRequests,
    };
    let words = words(kind);
    let (acs, audience) = ((words.acs.name, Acs, CONSUMER), (words.audience.name, EntityId, AUDIENCE));
    let name_id = |format| (words.name_id.name, NameId(format), NAME_ID);
    let algorithm = |name| (words.algorithm.name, Choose(name), ALGORITHM);
    match kind {
        ConnectionType::Okta => vec![
            acs,
            audience,
            ("Default RelayState", Empty, RELAY),
            name_id("EmailAddress"),
            ("Application username", Choose("Email"), NAME_ID_VALUE),
            ("Response", Choose("Signed"), SIGNED),
            (words.signing.name, Choose("Signed"), SIGNED),
            algorithm("RSA-SHA256"),
            ("Digest Algorithm", Choose("SHA256"), DIGEST),
            (words.encryption.name, Encryption("Unencrypted"), ENCRYPTED),
        ],
        ConnectionType::Entra => vec![
            audience,
            acs,
            ("Sign on URL", SignIn, BEGINNING),
            ("Relay State", Empty, RELAY),
            ("Logout Url", Empty, "a single logout service"),
            (words.signing.name, Choose("Sign SAML assertion"), SIGNED),
            algorithm("SHA-256"),
        ],
        ConnectionType::Google => vec![
            acs,
            audience,
            ("Start URL", Empty, RELAY),
            (words.signing.name, Choose("as you like"), SIGNED),
            name_id("EMAIL"),
            ("Name ID", Choose("Basic Information > Primary email"), NAME_ID_VALUE),
        ],
        ConnectionType::Onelogin => vec![
            ("RelayState", Empty, RELAY),
            audience,
            ("Recipient", Acs, "our assertion consumer service, the recipient of the assertion"),
            ("ACS (Consumer) URL Validator", AcsPattern, "a regular expression for the next field"),
            acs,
            ("Login URL", SignIn, BEGINNING),
            ("SAML initiator", Choose("Service Provider"), INITIATOR),
            name_id("Email"),
            (words.signing.name, Choose("Both"), SIGNED),
            (words.encryption.name, Encryption("not ticked"), ENCRYPTED),
            algorithm("SHA-256"),
        ],
        ConnectionType::Jumpcloud => vec![
            (words.issuer.name, OwnEntityId, "JumpCloud's entity id, the issuer of the response"),
            audience,
            acs,
            ("SAMLSubject NameID", Choose("email"), NAME_ID_VALUE),
            name_id("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
            algorithm("RSA-SHA256"),
            (words.signing.name, Choose("Assertion (or Response)"), SIGNED),
            ("Default RelayState", Empty, RELAY),
            ("Login URL", SignIn, BEGINNING),
            (
                "Declare Redirect Endpoint",
                Choose("ticked"),
                "a SingleSignOnService with the binding HTTP-Redirect",
            ),
        ],
        ConnectionType::Ping => vec![
            ("PingOne: ACS URLs", Acs, CONSUMER),
            ("PingOne: Entity ID", EntityId, AUDIENCE),
            ("PingOne: Sign Assertion & Response", Choose("chosen"), SIGNED),
            ("PingFederate: Partner's Entity ID", EntityId, AUDIENCE),
            ("PingFederate: Assertion Consumer Service URL", Acs, CONSUMER),
            ("PingFederate: Signature Policy", Choose("always sign the assertion"), SIGNED),
            (words.algorithm.name, Choose("RSA SHA256"), ALGORITHM),
        ],
        ConnectionType::Adfs => vec![
            ("Federation metadata address", Metadata, OUR_METADATA),
            audience,
            ("Relying party SAML 2.0 SSO service URL", Acs, CONSUMER),
            (words.acs.name, Acs, "the same, among the endpoints later"),
            algorithm("SHA-256"),
        ],
        ConnectionType::Keycloak => vec![
            audience,
            ("Home URL", SignIn, BEGINNING),
            ("Valid redirect URIs", Acs, "addresses that may be answered at"),
            acs,
            ("IDP-Initiated SSO URL name", Empty, INITIATOR),
            name_id("email"),
            ("Force name ID format", Choose("on"), NAME_ID),
            ("Include AuthnStatement", Choose("on"), "an AuthnStatement in the assertion"),
            (words.signing.name, Choose("on"), SIGNED),
            ("Sign assertions", Choose("on"), SIGNED),
            algorithm("RSA_SHA256"),
            ("Client signature required", SignedRequests, "whether the AuthnRequest must be signed"),
            (words.encryption.name, Encryption("off"), ENCRYPTED),
        ],
        ConnectionType::Generic => vec![
            (words.metadata.name, Metadata, OUR_METADATA),
            audience,
            acs,
            name_id("persistent, or emailAddress"),
            algorithm("RSA-SHA256"),
        ],
    }
}

/// The fields of a connection's guide.
pub(super) fn fields(facts: &Facts) -> Vec<FieldValue> {
    let filled = wanted(facts.kind).into_iter().map(|(field, wanted, meaning)| {
        let (value, copyable) = match wanted {
            Wanted::EntityId => (facts.urls.entity_id.clone(), true),
            Wanted::Acs => (facts.urls.acs_url.clone(), true),
            Wanted::AcsPattern => (pattern(&facts.urls.acs_url), true),
            Wanted::Metadata => (facts.urls.metadata_url.clone(), true),
            Wanted::SignIn => (facts.sign_in_url.clone(), true),
            Wanted::OwnEntityId if facts.idp_entity_id.is_empty() => {
                (format!("{}/jumpcloud", facts.urls.entity_id), true)
            }
            Wanted::OwnEntityId => (facts.idp_entity_id.clone(), true),
            Wanted::NameId(usual) => {
                (facts.name_id_format.map_or(usual, SamlNameIdFormat::uri).to_owned(), false)
            }
            Wanted::Encryption(_) if facts.require_encryption => {
                ("on, with this connection's encryption certificate".to_owned(), false)
            }
            Wanted::SignedRequests if facts.sign_requests => {
                ("on, with this connection's signing certificate".to_owned(), false)
            }
            Wanted::SignedRequests => ("off".to_owned(), false),
            Wanted::Choose(choice) | Wanted::Encryption(choice) => (choice.to_owned(), false),
            Wanted::Empty => ("leave empty".to_owned(), false),
        };
        FieldValue { idp_field: field.to_owned(), value, copyable, meaning: meaning.to_owned() }
    });
    filled.collect()
}

/// A regular expression that matches this text and nothing else.
pub(super) fn pattern(text: &str) -> String {
    let mut out = String::from("^");
    for character in text.chars() {
        if character.is_ascii_punctuation() && !matches!(character, '-' | '_' | ':') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('$');
    out
}
