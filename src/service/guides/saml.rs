//! The SAML half of the guides: which fields each console has for our values, which attributes to send, what to copy
//! back, and what to do about our own refusals.

mod attributes;
mod fields;

use super::template::{self, Part as Text, TemplateError, Values};
use super::{Guide, Markdown, domain_list, field_table, sections, table, words};
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::saml::SamlNameIdFormat;
use crate::model::state::{ConnectionStatus, ConnectionType};
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
/// What several guides share; `give`, `keys` and `slo` are filled into others.
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

/// Where the IdP's console has single logout.
const fn slo_at(kind: ConnectionType) -> &'static str {
    match kind {
        ConnectionType::Okta => {
            "In Okta's SAML settings, under Show Advanced Settings, upload that certificate as \"Signature Certificate\", tick \
             \"Enable Single Logout\" (\"Allow application to initiate Single Logout\"), and enter the URL as \"Single Logout URL\" and our \
             entity id as \"SP Issuer\"; Okta's own address then stands on the Sign On tab as \"Identity Provider Single Logout URL\"."
        }
        ConnectionType::Entra => {
            "In Entra's Basic SAML Configuration it is \"Logout Url (Optional)\"; Entra's own address is the \"Logout URL\" on the same page."
        }
        ConnectionType::Google => {
            "Google has no field for it: leave it out. Who signs out here stays signed in at Google."
        }
        ConnectionType::Onelogin => {
            "In OneLogin's Configuration tab it is \"Single Logout URL\"; OneLogin's own address is the \"SLO Endpoint (HTTP)\" on the SSO tab."
        }
        ConnectionType::Jumpcloud => {
            "In JumpCloud's SSO tab it is \"Logout URL\", where the application offers one; else leave it out."
        }
        ConnectionType::Ping => {
            "In PingFederate tick \"SP-initiated SLO\" and \"IdP-initiated SLO\" among the SAML profiles and enter it under \"SLO Service URLs\"; in \
             PingOne it is \"SLO Endpoint\", with the same for \"SLO Response Endpoint\"."
        }
        ConnectionType::Adfs => {
            "In AD FS add an endpoint of the type \"SAML Logout\" to the relying party, and that certificate on its Signature tab; both come by \
             themselves where AD FS reads our metadata."
        }
        ConnectionType::Keycloak => {
            "In Keycloak's client it is \"Logout Service POST Binding URL\" and \"Logout Service Redirect Binding URL\" under Advanced, with \
             \"Front channel logout\" on; import that certificate on the Keys tab, for \"Client signature required\"."
        }
        ConnectionType::Generic => {
            "Look for a field called single logout, SLO or logout URL (in SimpleSAMLphp's saml20-sp-remote it is SingleLogoutService, with \
             'sign.logout' and 'validate.logout' on), and give it that certificate to verify our messages by."
        }
    }
}

/// The guide of a connection.
pub(super) fn guide(facts: &Facts) -> Result<Guide, TemplateError> {
    let fields = fields::fields(facts);
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
        ("slo_url", code(&facts.urls.slo_url)),
        ("slo_at", ours(slo_at(facts.kind))),
        ("domains", domains.unwrap_or_else(unassigned)),
        ("audience", ours(console.audience.phrase)),
        ("acs", ours(console.acs.phrase)),
        ("sign_on", ours(console.sign_on.phrase)),
        ("metadata", ours(console.metadata.phrase)),
        ("fields", field_table(&fields)),
        ("attributes", attributes::attribute_table(facts)),
        ("back", back_table(facts.kind)),
        ("known", known(facts)),
        ("asks", asks(facts, &path)),
        ("refusals", refusal_table(facts)),
    ]);
    let parts: Vec<Text> = template::parts(text(facts.kind)).chain(template::parts(COMMON)).collect();
    for id in ["give", "keys", "slo"] {
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
