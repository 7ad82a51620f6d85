//! The SCIM half of the guides: where each IdP asks for the base URL and the token, and what to choose beside them.

use super::template::{self, Part as Text, TemplateError, Values};
use super::{
    FieldValue, Guide, Markdown, Provisioning, domain_list, field_table, provisioning, sections, words,
};
use crate::model::id::OrganizationId;
use crate::model::state::ConnectionType;

/// The sections of a SCIM guide, in their order; an IdP that cannot provision has `support` and `instead`.
pub(super) const ORDER: [&str; 12] = [
    "support",
    "instead",
    "before",
    "token",
    "create",
    "fields",
    "attributes",
    "assign",
    "groups",
    "test",
    "leaving",
    "notes",
];
const COMMON: &str = include_str!("scim/common.md");

const fn text(kind: ConnectionType) -> &'static str {
    match kind {
        ConnectionType::Okta => include_str!("scim/okta.md"),
        ConnectionType::Entra => include_str!("scim/entra.md"),
        ConnectionType::Google => include_str!("scim/google.md"),
        ConnectionType::Onelogin => include_str!("scim/onelogin.md"),
        ConnectionType::Jumpcloud => include_str!("scim/jumpcloud.md"),
        ConnectionType::Ping => include_str!("scim/ping.md"),
        ConnectionType::Adfs => include_str!("scim/adfs.md"),
        ConnectionType::Keycloak => include_str!("scim/keycloak.md"),
        ConnectionType::Generic => include_str!("scim/generic.md"),
    }
}

/// All that a guide tells of one directory.
pub(super) struct Facts {
    pub kind: ConnectionType,
    pub organization: OrganizationId,
    pub organization_name: String,
    pub public_url: String,
    pub base_url: String,
    pub token_endpoint: String,
    /// The verified domains that the directory speaks for.
    pub domains: Vec<String>,
}

enum Wanted {
    Base,
    /// The token, which only its maker has seen.
    Token(&'static str),
    Choose(&'static str),
    Copy(&'static str),
}

const BASE: &str = "the base URL of the service provider";
const TOKEN: &str = "the bearer token of the Authorization header";
const USER_NAME: &str = "the attribute by which people are looked up";
const VERSION: &str = "the version of SCIM";
const RESOURCE: &str = "the endpoint below the base URL";
const MANNER: &str = "how requests are authenticated";

fn wanted(kind: ConnectionType) -> Vec<(&'static str, Wanted, &'static str)> {
    use Wanted::{Base, Choose, Copy, Token};
    let token = Token("the token that you made");
    match kind {
        ConnectionType::Okta => vec![
            ("SCIM connector base URL", Base, BASE),
            ("Unique identifier field for users", Copy("userName"), USER_NAME),
            (
                "Supported provisioning actions",
                Choose("Push New Users, Push Profile Updates, Push Groups"),
                "which calls are made",
            ),
            ("Authentication Mode", Choose("HTTP Header"), MANNER),
            ("Authorization", token, TOKEN),
        ],
        ConnectionType::Entra => vec![("Tenant URL", Base, BASE), ("Secret Token", token, TOKEN)],
        ConnectionType::Onelogin => vec![
            ("SCIM Base URL", Base, BASE),
            ("SCIM JSON Template", Choose("as below"), "the body of a person"),
            ("SCIM Bearer Token", token, TOKEN),
        ],
        ConnectionType::Jumpcloud => vec![
            ("SCIM Version", Choose("SCIM 2.0"), VERSION),
            ("Base URL", Base, BASE),
            ("Token Key", token, TOKEN),
            (
                "Test User Email",
                Choose("an address on one of the domains that nobody has"),
                "whom the test makes and deletes",
            ),
        ],
        ConnectionType::Ping => vec![
            ("SCIM Base URL", Base, BASE),
            ("Users Resource", Copy("/Users"), RESOURCE),
            ("Groups Resource", Copy("/Groups"), RESOURCE),
            ("SCIM Version", Choose("2.0"), VERSION),
            ("Authentication Method", Choose("OAuth 2 Bearer Token"), MANNER),
            ("OAuth Access Token", token, TOKEN),
            ("Auth Type Header", Choose("Bearer"), MANNER),
            ("User Filter Expression", Copy("userName Eq \"%s\""), USER_NAME),
            ("User Identifier", Choose("userName"), USER_NAME),
        ],
        ConnectionType::Google
        | ConnectionType::Adfs
        | ConnectionType::Keycloak
        | ConnectionType::Generic => vec![("Base URL", Base, BASE), ("Bearer token", token, TOKEN)],
    }
}

fn fields(facts: &Facts) -> Vec<FieldValue> {
    let filled = wanted(facts.kind).into_iter().map(|(field, wanted, meaning)| {
        let (value, copyable) = match wanted {
            Wanted::Base => (facts.base_url.clone(), true),
            Wanted::Copy(text) => (text.to_owned(), true),
            Wanted::Token(text) | Wanted::Choose(text) => (text.to_owned(), false),
        };
        FieldValue { idp_field: field.to_owned(), value, copyable, meaning: meaning.to_owned() }
    });
    filled.collect()
}

/// The guide of a directory.
pub(super) fn guide(facts: &Facts) -> Result<Guide, TemplateError> {
    let fields = fields(facts);
    let name = words(facts.kind).product;
    let by_itself = provisioning(facts.kind) == Provisioning::Full;
    let organization = format!("/api/v1/organizations/{}", facts.organization);
    let code = |text: &str| Markdown::code(text);
    let ours = |text: &str| Markdown::ours(text);
    let domains = domain_list(facts.domains.iter().map(|name| (name.as_str(), true)));
    let directory = format!("the directory of {}", Markdown::text(&facts.organization_name).as_str());
    let intro = if by_itself {
        format!("These steps let {name} bring people and groups into {directory}.")
    } else {
        format!(
            "These steps let a program that speaks SCIM bring people and groups into {directory}, because {name} cannot."
        )
    };
    let values = Values::from([
        ("intro", ours(&intro)),
        ("product", ours(if by_itself { name } else { "that program" })),
        ("organization_path", ours(&organization)),
        ("scim_path", ours(&format!("{organization}/scim"))),
        ("public_url", code(&facts.public_url)),
        ("token_endpoint", code(&facts.token_endpoint)),
        ("domains", domains.unwrap_or_else(|| ours("none yet"))),
        ("fields", field_table(&fields)),
    ]);
    let parts: Vec<Text> = template::parts(text(facts.kind)).chain(template::parts(COMMON)).collect();
    let sections = sections(&parts, &ORDER, &values)?;
    Ok(Guide { kind: facts.kind, title: template::title(text(facts.kind)).to_owned(), sections, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: ConnectionType) -> Facts {
        Facts {
            kind,
            organization: "org_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            organization_name: "**Acme** <b>".to_owned(),
            public_url: "https://gate.example".to_owned(),
            base_url: "https://gate.example/scim/v2".to_owned(),
            token_endpoint: "https://gate.example/oauth/token".to_owned(),
            domains: vec!["acme.test".to_owned()],
        }
    }

    #[test]
    fn every_type_has_a_guide_without_a_gap() {
        for &kind in ConnectionType::ALL {
            let guide = guide(&facts(kind)).unwrap();
            let text = guide.text();
            assert!(!text.contains("{{") && !text.contains("{#"), "{kind}: {text}");
            assert!(text.contains("`https://gate.example/scim/v2`"), "{kind}");
            assert!(text.contains("\\*\\*Acme\\*\\* &lt;b&gt;"), "{kind}");
            let ids: Vec<&str> = guide.sections.iter().map(|section| section.id).collect();
            let full = provisioning(kind) == Provisioning::Full;
            let lacks = if full {
                ["support", "instead"].as_slice()
            } else {
                &["create", "fields", "attributes", "assign", "groups", "notes"]
            };
            let expected: Vec<&str> = ORDER.into_iter().filter(|id| !lacks.contains(id)).collect();
            assert_eq!(ids, expected, "{kind}");
            let written = template::parts(super::text(kind)).count();
            assert_eq!(
                written,
                expected.iter().filter(|id| template::parts(super::text(kind)).any(|p| p.id == **id)).count(),
                "{kind}: a section is never shown"
            );
        }
    }
}
