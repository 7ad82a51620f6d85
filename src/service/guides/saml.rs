//! The SAML half of the guides: which fields each console has for our values, which attributes to send, what to copy
//! back, and what to do about our own refusals.

use super::template::{self, Part as Text, TemplateError, Values};
use super::{FieldValue, Guide, Markdown, domain_list, field_table, sections, table, words};
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::saml::SamlNameIdFormat;
use crate::model::state::{ConnectionStatus, ConnectionType};
use crate::protocol::saml::attributes::Part;
use crate::protocol::saml::{AttributeMapping, Certificate, Console, SamlRefusal};
use crate::service::connections::SpUrls;

/// The sections of every SAML guide, in their order.
pub(super) const ORDER: [&str; 12] = [
    "before",
    "create",
    "fields",
    "attributes",
    "asks",
    "copy-back",
    "assign",
    "test",
    "live",
    "rollover",
    "errors",
    "refusals",
];
/// What several guides share; `give` and `keys` are filled into others.
const COMMON: &str = include_str!("saml/common.md");

const fn text(kind: ConnectionType) -> &'static str {
    match kind {
        ConnectionType::Okta => include_str!("saml/okta.md"),
        ConnectionType::Entra => include_str!("saml/entra.md"),
        ConnectionType::Google => include_str!("saml/google.md"),
        ConnectionType::Onelogin => include_str!("saml/onelogin.md"),
        ConnectionType::Jumpcloud => include_str!("saml/jumpcloud.md"),
        ConnectionType::Ping => include_str!("saml/ping.md"),
        ConnectionType::Adfs => include_str!("saml/adfs.md"),
        ConnectionType::Keycloak => include_str!("saml/keycloak.md"),
        ConnectionType::Generic => include_str!("saml/generic.md"),
    }
}

/// All that a guide tells of one connection.
pub(super) struct Facts {
    pub kind: ConnectionType,
    pub organization: OrganizationId,
    pub organization_name: String,
    pub connection: ConnectionId,
    pub connection_name: String,
    pub status: ConnectionStatus,
    pub urls: SpUrls,
    pub public_url: String,
    pub sign_in_url: String,
    /// Names, and whether they are verified.
    pub domains: Vec<(String, bool)>,
    pub mapping: AttributeMapping,
    /// Empty while it is not known.
    pub idp_entity_id: String,
    /// Empty while it is not known.
    pub sso_url: String,
    pub certificates: Vec<Certificate>,
    /// Where the IdP's metadata is fetched from.
    pub metadata_source: Option<String>,
    /// What requests ask for.
    pub name_id_format: Option<SamlNameIdFormat>,
    pub sign_requests: bool,
    pub force_authn: bool,
    pub authn_contexts: Vec<String>,
    pub require_encryption: bool,
}

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

fn fields(facts: &Facts) -> Vec<FieldValue> {
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
fn pattern(text: &str) -> String {
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

/// What to send, under which name, and what the console calls its source.
pub(super) fn attributes(kind: ConnectionType) -> &'static [(Part, &'static str, &'static str)] {
    use Part::{Email, FamilyName, GivenName, Groups, Subject};
    match kind {
        ConnectionType::Okta => &[
            (Email, "email", "user.email"),
            (GivenName, "firstName", "user.firstName"),
            (FamilyName, "lastName", "user.lastName"),
            (Subject, "immutable_id", "user.id"),
            (Groups, "groups", "a filter, under Group Attribute Statements"),
        ],
        ConnectionType::Entra => &[
            (Email, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "user.mail"),
            (GivenName, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "user.givenname"),
            (FamilyName, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "user.surname"),
            (
                Subject,
                "http://schemas.microsoft.com/identity/claims/objectidentifier",
                "user.objectid, by itself",
            ),
            (Groups, "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "a group claim"),
        ],
        ConnectionType::Google => &[
            (Email, "email", "Basic Information > Primary email"),
            (GivenName, "firstName", "Basic Information > First name"),
            (FamilyName, "lastName", "Basic Information > Last name"),
            (Groups, "groups", "Group membership"),
        ],
        ConnectionType::Onelogin => &[
            (Email, "email", "Email"),
            (GivenName, "firstName", "First Name"),
            (FamilyName, "lastName", "Last Name"),
            (Subject, "immutable_id", "OneLogin ID"),
            (Groups, "groups", "User Roles, or MemberOf"),
        ],
        ConnectionType::Jumpcloud => &[
            (Email, "email", "email"),
            (GivenName, "firstName", "firstname"),
            (FamilyName, "lastName", "lastname"),
            (Subject, "immutable_id", "employeeIdentifier, if it is never reused"),
            (Groups, "groups", "Include group attribute"),
        ],
        ConnectionType::Ping => &[
            (Email, "email", "Email Address"),
            (GivenName, "firstName", "Given Name"),
            (FamilyName, "lastName", "Family Name"),
            (Subject, "immutable_id", "User ID"),
            (Groups, "groups", "Group Names"),
        ],
        ConnectionType::Adfs => &[
            (
                Email,
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
                "E-Mail-Addresses, as E-Mail Address",
            ),
            (
                GivenName,
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
                "Given-Name, as Given Name",
            ),
            (
                FamilyName,
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
                "Surname, as Surname",
            ),
            (Subject, "immutable_id", "objectGUID, as immutable_id"),
            (Groups, "http://schemas.xmlsoap.org/claims/Group", "Token-Groups - Unqualified Names, as Group"),
        ],
        ConnectionType::Keycloak => &[
            (Email, "email", "email"),
            (GivenName, "firstName", "firstName"),
            (FamilyName, "lastName", "lastName"),
            (Subject, "immutable_id", "id"),
            (Groups, "groups", "the mapper Group list"),
        ],
        ConnectionType::Generic => &[
            (Email, "mail", "the e-mail address"),
            (GivenName, "givenName", "the given name"),
            (FamilyName, "sn", "the family name"),
            (Subject, "urn:oasis:names:tc:SAML:attribute:subject-id", "an id that never changes"),
            (Groups, "isMemberOf", "the groups"),
        ],
    }
}

/// What a part is called in sentences and in the connection's mapping.
const fn part_name(part: Part) -> &'static str {
    match part {
        Part::Email => "e-mail address (`email`)",
        Part::GivenName => "given name (`given_name`)",
        Part::FamilyName => "family name (`family_name`)",
        Part::DisplayName => "whole name (`display_name`)",
        Part::Subject => "lasting id (`subject`)",
        Part::Groups => "groups (`groups`)",
    }
}

fn attribute_table(facts: &Facts) -> Markdown {
    let generic = facts.kind == ConnectionType::Generic;
    let rows = attributes(facts.kind).iter().map(|&(part, name, source)| {
        let shown = match facts.mapping.name_of(part) {
            Some(own) => Markdown::ours(format!("{} (set in this connection)", Markdown::code(own).as_str())),
            None if generic => {
                let names = part.usual_names().iter().map(|name| Markdown::code(name).as_str().to_owned());
                Markdown::ours(names.collect::<Vec<_>>().join(", "))
            }
            None => Markdown::code(name),
        };
        [Markdown::ours(part_name(part)), shown, Markdown::ours(source)]
    });
    table(["What Postern reads", "Name of the attribute", "Value at the identity provider"], rows)
}

fn back_table(kind: ConnectionType) -> Markdown {
    let words = words(kind);
    let rows = [
        ("metadata_url or metadata_xml", words.metadata),
        ("idp_entity_id", words.issuer),
        ("sso_url", words.sign_on),
        ("certificates", words.certificate),
    ];
    let rows = rows.map(|(ours, theirs)| [Markdown::code(ours), Markdown::ours(theirs.phrase)]);
    table(["Postern asks for", "Where it is"], rows)
}

/// What the connection knows of its IdP, as sentences.
fn known(facts: &Facts) -> Markdown {
    let (entity_id, sso_url) = (Markdown::code(&facts.idp_entity_id), Markdown::code(&facts.sso_url));
    if facts.idp_entity_id.is_empty() && facts.sso_url.is_empty() && facts.certificates.is_empty() {
        return Markdown::ours("Postern knows nothing of the identity provider yet.");
    }
    let certificates = facts.certificates.iter().map(|certificate| {
        let print = Markdown::code(certificate.fingerprint());
        format!("{} (until {})", print.as_str(), certificate.not_after().date())
    });
    let certificates = certificates.collect::<Vec<_>>().join(", ");
    let source = facts.metadata_source.as_deref().map(Markdown::code);
    Markdown::ours(format!(
        "Postern knows of the identity provider now: entity id {}, sign-on URL {}, signing certificates {}; {}.",
        entity_id.as_str(),
        sso_url.as_str(),
        if certificates.is_empty() { "–" } else { &certificates },
        source.map_or_else(
            || "given by hand or as a document".to_owned(),
            |source| format!("fetched each day from {}", source.as_str())
        ),
    ))
}

/// What the connection asks for beyond the usual, one line each.
fn asks(facts: &Facts, path: &str) -> Markdown {
    let console = words(facts.kind);
    let mut lines = vec![match facts.name_id_format {
        Some(format) => format!(
            "Requests ask for the NameID format {}: set {} to it.",
            Markdown::code(format.uri()).as_str(),
            console.name_id.phrase
        ),
        None => "Requests ask for no NameID format: whichever is set is taken.".to_owned(),
    }];
    lines.push(if facts.sign_requests {
        format!(
            "Requests are signed (RSA-SHA256). Where the identity provider checks that, it needs the signing certificate: it is \
             in the metadata, and `GET {path}/keys` lists it."
        )
    } else {
        "Requests are not signed: there is no certificate to upload for that, and nothing that demands one may be on.".to_owned()
    });
    let certificate =
        format!("the encryption certificate is in the metadata, and `GET {path}/keys` lists it");
    lines.push(if facts.require_encryption {
        format!("Assertions must be encrypted: {}. For that {certificate}.", console.encryption.phrase)
    } else {
        format!("Assertions may be encrypted and need not be ({}); {certificate}.", console.encryption.phrase)
    });
    if !facts.authn_contexts.is_empty() {
        let shown = facts.authn_contexts.iter().map(|context| Markdown::code(context).as_str().to_owned());
        lines.push(format!(
            "Only these ways of signing in at the identity provider are accepted (AuthnContextClassRef): {}.",
            shown.collect::<Vec<_>>().join(", ")
        ));
    }
    if facts.force_authn {
        lines.push(
            "Each sign-in makes the identity provider ask for credentials again (ForceAuthn).".to_owned(),
        );
    }
    Markdown::ours(lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"))
}

/// What our own refusals mean and which field to change, in the very words of the sign-in log.
fn refusal_table(facts: &Facts) -> Markdown {
    let console = Console::from_type(facts.kind.as_str());
    let step = |refusal: &SamlRefusal| (refusal.code(), refusal.next_step(console));
    let found = String::new;
    let rows = [
        (
            step(&SamlRefusal::WrongAudience { expected: facts.urls.entity_id.clone(), found: Vec::new() }),
            "the assertion is meant for another service",
        ),
        (
            step(&SamlRefusal::WrongRecipient { expected: facts.urls.acs_url.clone(), found: found() }),
            "the answer is meant for another address; `wrong_destination` is the same of the response",
        ),
        (
            step(&SamlRefusal::WrongIssuer { element: "response", expected: found(), found: found() }),
            "another identity provider answered than the one that is set up",
        ),
        (
            step(&SamlRefusal::SignatureMismatch { configured: Vec::new(), presented: None }),
            "no certificate of the connection made the signature",
        ),
        (step(&SamlRefusal::Sha1Refused { algorithm: found() }), "the signature uses SHA-1"),
        (step(&SamlRefusal::Unsigned), "neither response nor assertion is signed"),
        (
            step(&SamlRefusal::NoEmail { name_id_format: found(), attributes: Vec::new() }),
            "no address came, neither as an attribute nor as NameID",
        ),
        (
            step(&SamlRefusal::DecryptionFailed { other_key: None, inside: None }),
            "the assertion is encrypted for another key, or by something else that is wrong with it",
        ),
        (
            ("foreign_domain", "Assign the domain to this connection, or sign in with an address on a domain that it serves.".to_owned()),
            "the address is on a domain that this connection does not serve, or that is not verified",
        ),
        (
            ("jit_off", "Provision or invite the person, or switch just-in-time provisioning on for the domain.".to_owned()),
            "nobody has made this person a member yet",
        ),
    ];
    let rows = rows
        .map(|((code, step), meaning)| [Markdown::code(code), Markdown::ours(meaning), Markdown::ours(step)]);
    table(["Code", "Meaning", "What to do"], rows)
}

/// The guide of a connection.
pub(super) fn guide(facts: &Facts) -> Result<Guide, TemplateError> {
    let fields = fields(facts);
    let console = words(facts.kind);
    let organization = format!("/api/v1/organizations/{}", facts.organization);
    let path = format!("{organization}/saml-connections/{}", facts.connection);
    let code = |text: &str| Markdown::code(text);
    let ours = |text: &str| Markdown::ours(text);
    let unassigned = || {
        Markdown::ours(format!(
            "none yet; assign some by `PATCH {path}` with `{{\"domain_ids\": [\"dom_…\"]}}`"
        ))
    };
    let domains = domain_list(facts.domains.iter().map(|(name, verified)| (name.as_str(), *verified)));
    let mut values = Values::from([
        ("intro", intro(facts)),
        ("product", ours(console.product)),
        ("product_upper", ours(&capital(console.product))),
        ("type", ours(facts.kind.as_str())),
        (
            "status",
            ours(match facts.status {
                ConnectionStatus::Draft => "a draft",
                ConnectionStatus::Active => "active",
                ConnectionStatus::Inactive => "switched off",
            }),
        ),
        ("organization_path", ours(&organization)),
        ("connection_path", ours(&path)),
        ("public_url", code(&facts.public_url)),
        ("sign_in_url", code(&facts.sign_in_url)),
        ("entity_id", code(&facts.urls.entity_id)),
        ("acs_url", code(&facts.urls.acs_url)),
        ("metadata_url", code(&facts.urls.metadata_url)),
        ("domains", domains.unwrap_or_else(unassigned)),
        ("audience", ours(console.audience.phrase)),
        ("acs", ours(console.acs.phrase)),
        ("sign_on", ours(console.sign_on.phrase)),
        ("metadata", ours(console.metadata.phrase)),
        ("fields", field_table(&fields)),
        ("attributes", attribute_table(facts)),
        ("back", back_table(facts.kind)),
        ("known", known(facts)),
        ("asks", asks(facts, &path)),
        ("refusals", refusal_table(facts)),
    ]);
    let parts: Vec<Text> = template::parts(text(facts.kind)).chain(template::parts(COMMON)).collect();
    for id in ["give", "keys"] {
        let part = parts.iter().find(|part| part.id == id).ok_or(TemplateError::NoSection(id))?;
        let filled = template::fill(part.body, &values)?;
        values.insert(id, Markdown::ours(filled));
    }
    let sections = sections(&parts, &ORDER, &values)?;
    Ok(Guide { kind: facts.kind, title: template::title(text(facts.kind)).to_owned(), sections, fields })
}

fn intro(facts: &Facts) -> Markdown {
    Markdown::ours(format!(
        "These steps connect {} to {} as the connection {}.",
        words(facts.kind).product,
        Markdown::text(&facts.organization_name).as_str(),
        Markdown::text(&facts.connection_name).as_str(),
    ))
}

/// With a capital letter, to begin a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
