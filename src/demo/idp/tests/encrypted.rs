//! Encrypted assertions against the engine: every algorithm and order that is taken, and what is refused and how.

use super::super::Encrypting;
use super::*;
use crate::protocol::saml::DecryptionKey;

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";

/// The key that assertions are encrypted to.
fn ours() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| key(KeyType::Rsa2048))
}

fn opener(key: &SigningKey) -> DecryptionKey {
    DecryptionKey::from_pkcs8(&key.private_pkcs8(), &certificate(key)).unwrap()
}

fn with_keys(keys: &[&SigningKey]) -> Expectations {
    Expectations { decryption_keys: keys.iter().map(|key| opener(key)).collect(), ..expected(&[rsa()]) }
}

fn encrypted(how: &Encrypting, placement: Placement) -> String {
    how.respond(&spec(), &Signing::at(placement), rsa(), &ours().certificate_der().unwrap()).unwrap()
}

fn opened(xml: &str) -> Result<VerifiedAssertion, SamlRefusal> {
    verify(&form(xml), &with_keys(&[stranger(), ours()]), NOW)
}

#[track_caller]
fn code(xml: &str, expected: &str) -> SamlRefusal {
    let refusal = opened(xml).unwrap_err();
    assert_eq!(refusal.code(), expected, "{refusal}");
    refusal
}

/// What can stand between `from` and `to` of the last such pair.
fn value<'a>(xml: &'a str, from: &str, to: &str) -> &'a str {
    let at = xml.rfind(from).unwrap() + from.len();
    &xml[at..at + xml[at..].find(to).unwrap()]
}

#[test]
fn every_content_algorithm_and_order_gets_in() {
    let contents = ["aes128-cbc", "aes192-cbc", "aes256-cbc"].map(|name| format!("{XENC}{name}"));
    let more = ["aes128-gcm", "aes192-gcm", "aes256-gcm"].map(|name| format!("{XENC11}{name}"));
    for content in contents.iter().chain(&more) {
        for placement in PLACEMENTS {
            for beside in [false, true] {
                let how = Encrypting { beside, ..Encrypting::content(content) };
                let xml = encrypted(&how, placement);
                assert!(!xml.contains("jane@corp.example"));
                let assertion = opened(&xml).unwrap_or_else(|e| panic!("{content} {placement:?}: {e}"));
                assert!(assertion.encrypted());
                assert_eq!(assertion.name_id().value, "user-1");
                assert_eq!(assertion.attributes()[0].values, ["jane@corp.example"]);
            }
        }
    }
    assert!(!check(&signed(&Signing::default())).unwrap().encrypted());
}

#[test]
fn every_key_transport_gets_in() {
    let digests = [
        None,
        Some("http://www.w3.org/2000/09/xmldsig#sha1".to_owned()),
        Some(format!("{XENC}sha256")),
        Some("http://www.w3.org/2001/04/xmldsig-more#sha384".to_owned()),
        Some(format!("{XENC}sha512")),
    ];
    for digest in &digests {
        let older = Encrypting { digest: digest.clone(), ..Encrypting::default() };
        opened(&encrypted(&older, Placement::Assertion)).unwrap();
        for mask in [None, Some("sha1"), Some("sha256"), Some("sha384"), Some("sha512")] {
            let how = Encrypting {
                transport: format!("{XENC11}rsa-oaep"),
                digest: digest.clone(),
                mask: mask.map(|hash| format!("{XENC11}mgf1{hash}")),
                ..Encrypting::default()
            };
            let outcome = opened(&encrypted(&how, Placement::Assertion));
            outcome.unwrap_or_else(|e| panic!("{digest:?} {mask:?}: {e}"));
        }
    }
}

#[test]
fn weak_algorithms_are_told_by_name() {
    for content in ["tripledes-cbc", "aes256-ctr"] {
        let xml = encrypted(&Encrypting::content(&format!("{XENC}{content}")), Placement::Assertion);
        assert!(code(&xml, "encryption_algorithm_refused").to_string().contains(content));
    }
    let how = Encrypting { transport: format!("{XENC}rsa-1_5"), ..Encrypting::default() };
    let refusal = code(&encrypted(&how, Placement::Both), "encryption_algorithm_refused");
    assert!(refusal.to_string().contains("rsa-1_5"), "{refusal}");
    let how = Encrypting { digest: Some(format!("{XENC}md5")), ..Encrypting::default() };
    code(&encrypted(&how, Placement::Assertion), "encryption_algorithm_refused");
}

#[test]
fn without_a_key_or_with_another_one_the_reason_is_told() {
    let xml = encrypted(&Encrypting::default(), Placement::Assertion);
    let none = verify(&form(&xml), &with_keys(&[]), NOW).unwrap_err();
    assert_eq!(none, SamlRefusal::NoEncryptionKey);
    let other = verify(&form(&xml), &with_keys(&[stranger()]), NOW).unwrap_err();
    assert_eq!(other.code(), "decryption_failed");
    assert!(other.to_string().contains(certificate(ours()).fingerprint()), "{other}");
    let silent = Encrypting { names_recipient: false, ..Encrypting::default() };
    let silent = encrypted(&silent, Placement::Assertion);
    let other = verify(&form(&silent), &with_keys(&[stranger()]), NOW).unwrap_err();
    assert_eq!(other, SamlRefusal::DecryptionFailed { other_key: None, inside: None });
}

#[test]
fn encryption_can_be_required() {
    let strict = Expectations { require_encryption: true, ..with_keys(&[ours()]) };
    verify(&form(&encrypted(&Encrypting::default(), Placement::Both)), &strict, NOW).unwrap();
    let refusal = verify(&form(&signed(&Signing::default())), &strict, NOW).unwrap_err();
    assert_eq!(refusal, SamlRefusal::NotEncrypted);
}

/// Whatever is wrong behind the encryption of a response that nobody signed looks the same from outside.
#[test]
fn failures_of_decryption_are_one() {
    let recipient = ours().certificate_der().unwrap();
    let silent = |content: &str| Encrypting {
        names_recipient: false,
        ..Encrypting::content(&format!("{}{content}", if content.ends_with("gcm") { XENC11 } else { XENC }))
    };
    for content in ["aes256-gcm", "aes128-cbc"] {
        let how = silent(content);
        let xml = encrypted(&how, Placement::Assertion);
        let cipher = value(&xml, "<xenc:CipherValue>", "</xenc:CipherValue>").to_owned();
        let bytes = STANDARD.decode(&cipher).unwrap();
        // Truncated at every place that could matter, and changed at the ends of the text.
        for length in [1, 12, 16, 28, 31, 32, 33, 48, bytes.len() - 16, bytes.len() - 1] {
            let cut = STANDARD.encode(&bytes[..length]);
            code(&xml.replace(&cipher, &cut), "decryption_failed");
        }
        for at in [0, 15, 16, bytes.len() / 2, bytes.len() - 17, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            code(&xml.replace(&cipher, &STANDARD.encode(changed)), "decryption_failed");
        }
        // Something else inside: nothing, no XML, another element, two assertions, an unsigned one, a forged one.
        let (whole, forged) =
            (spec().assertion_xml(), Signing::at(Placement::Assertion).respond(&spec(), stranger()));
        let forged = forged.unwrap();
        let forged = forged[forged.find("<saml:Assertion").unwrap()..].replace("</samlp:Response>", "");
        let right = signed(&Signing::at(Placement::Assertion));
        let right = right[right.find("<saml:Assertion").unwrap()..].replace("</samlp:Response>", "");
        let envelope = |plain: &[u8]| {
            let inside = how.encrypt(plain, &recipient).unwrap();
            let at = xml.find("<saml:EncryptedAssertion").unwrap();
            format!("{}{inside}</samlp:Response>", &xml[..at])
        };
        opened(&envelope(right.as_bytes())).unwrap();
        for plain in [
            b"" as &[u8],
            b"\xff\xfe",
            b"not XML",
            b"<a/>",
            b"<!DOCTYPE a><a/>",
            format!("{right}{right}").as_bytes(),
            format!("<a>{right}</a>").as_bytes(),
            format!("{right}<a/>").as_bytes(),
            how.encrypt(right.as_bytes(), &recipient).unwrap().as_bytes(),
            xml.as_bytes(),
            whole.as_bytes(),
            forged.as_bytes(),
            right.replace("user-1", "user-2").as_bytes(),
        ] {
            let refusal = code(&envelope(plain), "decryption_failed");
            assert!(refusal.to_string().starts_with("the encrypted assertion could not be decrypted"));
        }
        // The administrator reads which it was.
        let unsigned = code(&envelope(whole.as_bytes()), "decryption_failed").to_string();
        assert!(unsigned.contains("neither the response nor the assertion is signed"), "{unsigned}");
        let mismatch = code(&envelope(forged.as_bytes()), "decryption_failed");
        assert!(mismatch.to_string().contains("did the IdP rotate its key?"), "{mismatch}");
    }
}

#[test]
fn in_a_signed_response_nothing_can_be_exchanged() {
    let xml = encrypted(&Encrypting::default(), Placement::Response);
    let other = encrypted(&Encrypting::default(), Placement::Response);
    let pick = |xml: &str| {
        let at = xml.find("<saml:EncryptedAssertion").unwrap();
        xml[at..].replace("</samlp:Response>", "")
    };
    code(&xml.replace(&pick(&xml), &pick(&other)), "content_altered");
    // Signed by the right key around an assertion that another one signed.
    let forged = Signing::at(Placement::Assertion).sign(&spec().to_xml(), "_assertion1", stranger()).unwrap();
    let at = forged.find("<saml:Assertion").unwrap();
    let inside = forged[at..].replace("</samlp:Response>", "");
    let sealed =
        Encrypting::default().encrypt(inside.as_bytes(), &ours().certificate_der().unwrap()).unwrap();
    let around = format!("{}{sealed}</samlp:Response>", &forged[..at]);
    let around = Signing::at(Placement::Response).sign(&around, "_response1", rsa()).unwrap();
    code(&around, "signature_mismatch");
}

#[test]
fn only_one_assertion_of_either_kind_may_be_there() {
    let recipient = ours().certificate_der().unwrap();
    let right = signed(&Signing::at(Placement::Assertion));
    let assertion = right[right.find("<saml:Assertion").unwrap()..].replace("</samlp:Response>", "");
    let sealed = Encrypting::default().encrypt(assertion.as_bytes(), &recipient).unwrap();
    let end = "</samlp:Response>";
    code(&right.replace(end, &format!("{sealed}{end}")), "assertion_count");
    let twice = right.replace(&assertion, &format!("{sealed}{}", sealed.replace("_key1", "_key2")));
    code(&twice, "assertion_count");
    let deep = right.replace(&assertion, &format!("<samlp:Extensions>{sealed}</samlp:Extensions>"));
    code(&deep, "assertion_count");
    // An assertion hidden in the key information of the encrypted one.
    let hidden = sealed.replace("<ds:X509Data>", &format!("{assertion}<ds:X509Data>"));
    code(&right.replace(&assertion, &hidden), "assertion_count");
}

#[test]
fn nothing_is_fetched_and_no_other_shape_is_read() {
    let reference = "<xenc:CipherReference URI=\"http://169.254.169.254/latest\"/>".to_owned();
    let how = Encrypting { cipher_data: Some(reference), ..Encrypting::default() };
    code(&encrypted(&how, Placement::Assertion), "encryption_structure");
    let xml = encrypted(&Encrypting { beside: true, ..Encrypting::default() }, Placement::Assertion);
    for (from, to) in [
        ("URI=\"#_key1\"", "URI=\"http://169.254.169.254/key\""),
        ("URI=\"#_key1\"", "URI=\"#_response1\""),
        ("EncryptedKey\" URI", "DerivedKey\" URI"),
        ("<xenc:EncryptionMethod ", "<xenc:Surprise/><xenc:EncryptionMethod "),
        (
            "Type=\"http://www.w3.org/2001/04/xmlenc#Element\"",
            "Type=\"http://www.w3.org/2001/04/xmlenc#Content\"",
        ),
        ("<ds:KeyInfo><ds:RetrievalMethod", "<ds:KeyInfo><ds:KeyValue/><ds:RetrievalMethod"),
    ] {
        assert!(xml.contains(from), "{from}");
        code(&xml.replacen(from, to, 1), "encryption_structure");
    }
    let xml = encrypted(&Encrypting::default(), Placement::Assertion);
    let key = &xml[xml.find("<xenc:EncryptedKey").unwrap()..];
    let key = &key[..key.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len()];
    code(&xml.replace(key, ""), "encryption_structure");
    let second = key.replace("_key1", "_key2");
    code(&xml.replace(key, &format!("{key}{second}")), "encryption_structure");
    // Outside of an encrypted assertion nothing encrypted is taken, not even beside the right one.
    let stray = xml.replace("</samlp:Response>", &format!("{second}</samlp:Response>"));
    code(&stray, "encrypted_unsupported");
}

#[test]
fn an_assertion_may_lean_on_namespaces_around_it() {
    let xml = signed(&Signing::at(Placement::Assertion));
    let at = xml.find("<saml:Assertion").unwrap();
    let declared = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ";
    let assertion = xml[at..].replace("</samlp:Response>", "").replacen(declared, "", 1);
    let sealed =
        Encrypting::default().encrypt(assertion.as_bytes(), &ours().certificate_der().unwrap()).unwrap();
    assert_eq!(
        opened(&format!("{}{sealed}</samlp:Response>", &xml[..at])).unwrap().name_id().value,
        "user-1"
    );
}
