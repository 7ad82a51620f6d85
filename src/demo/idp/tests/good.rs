//! Responses that must get in: all placements and algorithms, other certificates around, other signers.

use samael::crypto::{Crypto, CryptoProvider};

use super::super::response::EMAIL_ADDRESS;
use super::super::signer::KeyInfo;
use super::*;
use crate::protocol::saml::signature::{SignatureVerifier, VerifierError, XmlsecVerifier};
use crate::protocol::saml::{AttributeMapping, Identity, NameIdFormat, Subject};

#[test]
fn every_placement_and_algorithm_gets_in() {
    for kind in [KeyType::Rsa2048, KeyType::EcP256, KeyType::EcP384, KeyType::EcP521] {
        let key = key(kind);
        let family = if key.is_ec() { "ecdsa" } else { "rsa" };
        for hash in ["sha256", "sha384", "sha512"] {
            for placement in PLACEMENTS {
                let digest = match hash {
                    "sha384" => "http://www.w3.org/2001/04/xmldsig-more#sha384".to_owned(),
                    _ => format!("http://www.w3.org/2001/04/xmlenc#{hash}"),
                };
                let algorithm = Some(format!("http://www.w3.org/2001/04/xmldsig-more#{family}-{hash}"));
                let signing = Signing { algorithm, digest, ..Signing::at(placement) };
                let xml = signing.respond(&spec(), &key).unwrap();
                let outcome = verify(&form(&xml), &expected(&[&key]), NOW);
                let assertion = outcome.unwrap_or_else(|e| panic!("{kind:?} {hash} {placement:?}: {e}"));
                assert_eq!(assertion.name_id().value, "user-1");
            }
        }
    }
}

#[test]
fn all_values_arrive() {
    let mut spec = spec();
    spec.attributes.push(("groups".to_owned(), vec!["a & b".to_owned(), String::new(), "<ü>".to_owned()]));
    let assertion = check(&Signing::default().respond(&spec, rsa()).unwrap()).unwrap();
    assert_eq!(assertion.issuer(), IDP);
    assert_eq!(assertion.name_id().format, NameIdFormat::Persistent);
    assert_eq!(assertion.assertion_id(), "_assertion1");
    assert_eq!(assertion.session_index(), Some("_assertion1"));
    assert_eq!(assertion.in_response_to(), Some(REQUEST));
    assert_eq!(assertion.authn_instant(), NOW);
    assert_eq!(assertion.not_on_or_after(), NOW + time::Duration::minutes(5));
    assert_eq!(assertion.replay_until(), NOW + time::Duration::minutes(6));
    assert_eq!(assertion.session_not_on_or_after(), Some(NOW + time::Duration::hours(8)));
    assert!(assertion.authn_context_class_ref().unwrap().ends_with("PasswordProtectedTransport"));
    assert_eq!(assertion.attributes()[1].name, "groups");
    assert_eq!(assertion.attributes()[1].values, ["a & b", "", "<ü>"]);
}

#[test]
fn every_certificate_of_the_connection_counts_in_any_order() {
    let (first, ec, last) = (key(KeyType::Rsa2048), key(KeyType::EcP256), key(KeyType::Rsa2048));
    let expected = expected(&[&first, &ec, &last]);
    for key in [&first, &ec, &last] {
        for placement in PLACEMENTS {
            let xml = Signing::at(placement).respond(&spec(), key).unwrap();
            verify(&form(&xml), &expected, NOW).unwrap();
        }
    }
    let xml = signed(&Signing::default());
    let refusal = verify(&form(&xml), &expected, NOW).unwrap_err();
    assert_eq!(refusal.code(), "signature_mismatch");
    assert!(refusal.to_string().contains(certificate(rsa()).fingerprint()), "{refusal}");
}

#[test]
fn key_info_is_neither_needed_nor_believed() {
    check(&signed(&Signing { key_info: KeyInfo::Absent, ..Signing::default() })).unwrap();
    let other = stranger().certificate_base64().unwrap();
    let wrapped = format!("<ds:X509Data><ds:X509Certificate>\n{other}\n</ds:X509Certificate></ds:X509Data>");
    check(&signed(&Signing { key_info: KeyInfo::Xml(wrapped.clone()), ..Signing::default() })).unwrap();
    let own = rsa().certificate_base64().unwrap();
    let swapped = format!("<ds:X509Data><ds:X509Certificate>{own}</ds:X509Certificate></ds:X509Data>");
    let signing = Signing { key_info: KeyInfo::Xml(swapped), ..Signing::default() };
    assert_eq!(refused(&signing.respond(&spec(), stranger()).unwrap()), "signature_mismatch");
}

#[test]
fn line_breaks_in_the_form_value_and_a_declaration_are_fine() {
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n{}\n", signed(&Signing::default()));
    let mut broken = Vec::new();
    for line in form(&xml).chunks(76) {
        broken.extend_from_slice(line);
        broken.extend_from_slice(b"\r\n");
    }
    verify(&broken, &expected(&[rsa()]), NOW).unwrap();
    assert_eq!(PostedResponse::read(&broken).unwrap().in_response_to(), Some(REQUEST));
}

/// The signature is made by xmlsec from a template here, so that our canonicalization does not check itself.
#[test]
fn what_xmlsec_signs_is_understood() {
    for kind in [KeyType::Rsa2048, KeyType::EcP256] {
        let key = key(kind);
        for prefixes in [vec![], vec!["xs".to_owned(), "#default".to_owned(), "md".to_owned()]] {
            let mut spec = spec();
            spec.attributes.push(("odd".to_owned(), vec!["a\r\n\tb & <c> \"d\" 'e' é 𝄞".to_owned()]));
            let signing = Signing { prefixes, ..Signing::at(Placement::Response) };
            let xml = signing.respond(&spec, &key).unwrap().replace(
                "<samlp:Response ",
                "<samlp:Response xmlns='urn:example:default' xmlns:md='urn:example:md' xmlns:unused='urn:example:u' ",
            );
            let empty = |text: &str, tag: &str| {
                let start = text.find(&format!("<ds:{tag}>")).unwrap() + tag.len() + 5;
                let end = text.find(&format!("</ds:{tag}>")).unwrap();
                format!("{}{}", &text[..start], &text[end..])
            };
            let template = empty(&empty(&empty(&xml, "DigestValue"), "SignatureValue"), "KeyInfo")
                .replace("<ds:KeyInfo></ds:KeyInfo>", "");
            let xml = Crypto::sign_xml(&template, &key.private_der()).unwrap();
            let assertion = verify(&form(&xml), &expected(&[&key]), NOW).unwrap();
            assert_eq!(assertion.attributes()[1].values[0], "a\r\n\tb & <c> \"d\" 'e' é 𝄞");
        }
    }
}

/// The namespaces that the signed element has from around it, those of a PrefixList among them, count as they did.
#[test]
fn an_assertion_is_verified_with_the_namespaces_around_it() {
    for kind in [KeyType::Rsa2048, KeyType::EcP256] {
        let key = key(kind);
        for prefixes in
            [vec![], vec!["xs".to_owned(), "#default".to_owned(), "md".to_owned(), "none".to_owned()]]
        {
            let xml = spec().to_xml().replace(
                "<samlp:Response ",
                "<samlp:Response xmlns='urn:example:default' xmlns:md=\"urn:example:md\" xmlns:unused='urn:example:u' ",
            );
            let signing = Signing { prefixes, ..Signing::default() };
            let by_assertion = signing.sign(&xml, "_assertion1", &key).unwrap();
            let by_both = signing.sign(&by_assertion, "_response1", &key).unwrap();
            for xml in [by_assertion, by_both] {
                verify(&form(&xml), &expected(&[&key]), NOW).unwrap();
            }
        }
    }
}

#[test]
fn the_library_sees_the_signed_element_alone() {
    struct Seen(std::sync::Mutex<String>);
    impl SignatureVerifier for Seen {
        fn signed_bytes(&self, document: &str, certificate: &[u8]) -> Result<String, VerifierError> {
            document.clone_into(&mut self.0.lock().unwrap());
            XmlsecVerifier.signed_bytes(document, certificate)
        }
    }
    for (placement, element) in
        PLACEMENTS.into_iter().zip(["samlp:Response", "saml:Assertion", "saml:Assertion"])
    {
        let seen = Seen(std::sync::Mutex::default());
        let posted = PostedResponse::read(&form(&signed(&Signing::at(placement)))).unwrap();
        posted.verify_with(&seen, &expected(&[rsa()]), NOW).unwrap();
        let document = seen.0.into_inner().unwrap();
        assert!(document.starts_with(&format!("<{element} ")), "{placement:?}: {document}");
        assert!(document.ends_with(&format!("</{element}>")), "{placement:?}: {document}");
        assert_eq!(document.matches("<ds:Signature ").count(), 1, "{placement:?}: {document}");
        assert!(!document.contains("KeyInfo"), "{placement:?}: {document}");
    }
}

#[test]
fn address_names_and_key_are_found() {
    let identity = |change: &dyn Fn(&mut ResponseSpec), mapping: &AttributeMapping| {
        let mut spec = spec();
        change(&mut spec);
        let xml = Signing::default().respond(&spec, rsa()).unwrap();
        Identity::read(&check(&xml).unwrap(), mapping)
    };
    let usual = AttributeMapping::default();
    let attribute = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);

    let found = identity(&|_| (), &usual).unwrap();
    assert_eq!(found.email, "jane@corp.example");
    assert_eq!(found.subject, Subject::Immutable("user-1".to_owned()));

    let entra = |spec: &mut ResponseSpec| {
        let claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
        spec.name_id = Some("jane@corp.example".to_owned());
        spec.name_id_format = Some(EMAIL_ADDRESS.to_owned());
        spec.attributes = vec![
            attribute("http://schemas.microsoft.com/identity/claims/objectidentifier", "7f-1"),
            attribute(&format!("{claims}givenname"), "Jane"),
            attribute(&format!("{claims}surname"), "Doe"),
        ];
    };
    let found = identity(&entra, &usual).unwrap();
    assert_eq!(found.email, "jane@corp.example");
    assert_eq!(found.display_name.as_deref(), Some("Jane Doe"));
    assert_eq!(found.subject, Subject::Immutable("7f-1".to_owned()));

    let okta = |spec: &mut ResponseSpec| {
        spec.name_id = Some("jane@corp.example".to_owned());
        spec.name_id_format = None;
        spec.attributes = vec![attribute("User.FirstName", "Jane"), attribute("oktaId", "00u1")];
    };
    let found = identity(&okta, &usual).unwrap();
    assert_eq!(found.subject, Subject::Address("jane@corp.example".to_owned()));
    assert_eq!(found.given_name.as_deref(), Some("Jane"));
    let mapped = AttributeMapping { subject: Some("OktaID".to_owned()), ..usual.clone() };
    assert_eq!(identity(&okta, &mapped).unwrap().subject, Subject::Immutable("00u1".to_owned()));
    assert_eq!(identity(&|_| (), &mapped).unwrap_err().code(), "no_subject");

    let transient = |spec: &mut ResponseSpec| {
        spec.name_id_format = Some("urn:oasis:names:tc:SAML:2.0:nameid-format:transient".to_owned());
        spec.name_id = Some("x@y".to_owned());
        spec.attributes = vec![attribute("upn", "jane@corp.example")];
    };
    let refusal = identity(&transient, &usual).unwrap_err();
    assert_eq!(refusal.code(), "no_email");
    assert!(refusal.to_string().contains("upn"), "{refusal}");
    let mapped = AttributeMapping { email: Some("upn".to_owned()), ..usual };
    assert_eq!(
        identity(&transient, &mapped).unwrap().subject,
        Subject::Address("jane@corp.example".to_owned())
    );
}
