//! Every SAML guide without a database: no gap, nothing that is asked for and not read, the words of the messages.

use super::attributes::attributes;
use super::fields::pattern;
use super::*;
use crate::service::guides::FieldValue;

fn facts(kind: ConnectionType) -> Facts {
    Facts {
        kind,
        organization: "org_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
        organization_name: "Acme [x](http://evil.example) | <script>".to_owned(),
        connection: "con_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
        connection_name: "`one` {{entity_id}}\n# two".to_owned(),
        status: ConnectionStatus::Draft,
        urls: SpUrls {
            entity_id: "https://gate.example/saml/1".to_owned(),
            acs_url: "https://gate.example/saml/1/acs".to_owned(),
            slo_url: "https://gate.example/saml/1/slo".to_owned(),
            metadata_url: "https://gate.example/saml/1/metadata".to_owned(),
        },
        public_url: "https://gate.example".to_owned(),
        sign_in_url: "https://gate.example/login".to_owned(),
        domains: vec![("acme.test".to_owned(), true), ("acme.example".to_owned(), false)],
        mapping: AttributeMapping::default(),
        idp_entity_id: String::new(),
        sso_url: String::new(),
        certificates: Vec::new(),
        metadata_source: None,
        name_id_format: None,
        sign_requests: false,
        force_authn: false,
        authn_contexts: Vec::new(),
        require_encryption: false,
    }
}

#[test]
fn every_type_has_a_guide_without_a_gap() {
    for &kind in ConnectionType::ALL {
        let guide = guide(&facts(kind)).unwrap();
        let text = guide.text();
        assert!(!text.contains("{#") && text.matches("{{").count() == 0, "{kind}: {text}");
        let ids: Vec<&str> = guide.sections.iter().map(|section| section.id).collect();
        assert_eq!(ids, ORDER, "{kind}");
        let written = template::parts(super::text(kind)).count() + template::parts(COMMON).count();
        assert_eq!(written, ORDER.len() + 3, "{kind}: a section is never shown");
        for value in [
            "`https://gate.example/saml/1`",
            "`https://gate.example/saml/1/acs`",
            "`https://gate.example/saml/1/metadata`",
            "`https://gate.example/login`",
            "`acme.test`, `acme.example` (not verified yet)",
        ] {
            assert!(text.contains(value), "{kind} lacks {value}: {text}");
        }
        // A name is one line of text, whatever is in it.
        assert!(
            text.contains("Acme \\[x\\]\\(http\\:\\/\\/evil\\.example\\) \\| &lt;script&gt;"),
            "{kind}: {text}"
        );
        assert!(text.contains("\\`one\\` \\{\\{entity\\_id\\}\\} \\# two."), "{kind}: {text}");
    }
}

#[test]
fn what_a_guide_asks_for_is_read() {
    for &kind in ConnectionType::ALL {
        for (part, name, _) in attributes(kind) {
            let usual = part.usual_names();
            assert!(usual.iter().any(|known| known.eq_ignore_ascii_case(name)), "{kind} {part:?} {name}");
        }
    }
}

#[test]
fn a_mapping_of_the_connection_is_told_instead() {
    let mut facts = facts(ConnectionType::Okta);
    facts.mapping.email = Some("upn|x".to_owned());
    let text = guide(&facts).unwrap().text();
    assert!(text.contains("`upn\\|x` (set in this connection)") && !text.contains("| `email` |"), "{text}");
}

#[test]
fn what_the_connection_asks_for_is_told() {
    let mut facts = facts(ConnectionType::Keycloak);
    let value = |guide: &Guide, field: &str| {
        guide.fields.iter().find(|found| found.idp_field == field).unwrap().value.clone()
    };
    let plain = guide(&facts).unwrap();
    assert_eq!(value(&plain, "Client signature required"), "off");
    assert_eq!(value(&plain, "Name ID format"), "email");
    assert!(plain.text().contains("Requests are not signed"));
    facts.sign_requests = true;
    facts.require_encryption = true;
    facts.force_authn = true;
    facts.name_id_format = Some(SamlNameIdFormat::Persistent);
    facts.authn_contexts = vec!["urn:mfa".to_owned()];
    let asks = guide(&facts).unwrap();
    assert!(value(&asks, "Client signature required").starts_with("on, "));
    assert!(value(&asks, "Encrypt assertions").starts_with("on, "));
    assert_eq!(value(&asks, "Name ID format"), "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
    let text = asks.text();
    for told in ["Requests are signed", "must be encrypted", "`urn:mfa`", "ForceAuthn"] {
        assert!(text.contains(told), "{told} is not told: {text}");
    }
}

#[test]
fn guides_and_messages_call_a_field_by_the_same_name() {
    for &kind in ConnectionType::ALL {
        let guide = guide(&facts(kind)).unwrap();
        let console = words(kind);
        for field in [console.audience, console.acs] {
            let named = |value: &FieldValue| value.idp_field.ends_with(field.name);
            assert!(guide.fields.iter().any(named), "{kind} has no field {}", field.name);
        }
        // Every name in quotation marks that a message could tell stands in the guide as well.
        let text = guide.text();
        for phrase in [
            console.audience,
            console.acs,
            console.issuer,
            console.sign_on,
            console.certificate,
            console.metadata,
            console.algorithm,
            console.signing,
            console.encryption,
            console.attributes,
        ]
        .map(|field| field.phrase)
        {
            for name in phrase.split('"').skip(1).step_by(2) {
                assert!(text.contains(name), "{kind} never says {name}");
            }
        }
    }
}

#[test]
fn the_validator_matches_the_address_alone() {
    assert_eq!(pattern("https://a-b.example/saml/1/acs"), "^https:\\/\\/a-b\\.example\\/saml\\/1\\/acs$");
}
