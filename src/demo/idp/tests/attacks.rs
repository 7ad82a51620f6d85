//! Forgeries: signature wrapping, foreign keys and algorithms, references and transforms that would make a library
//! fetch or compute, XML that two readers read differently, sizes, and random changes.

use std::net::TcpListener;

use proptest::prelude::*;

use super::super::signer::KeyInfo;
use super::*;
use crate::protocol::saml::scan::{Rules, scan};

/// Cuts the text from `from` to the end of the first `to` behind it.
fn cut<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text.find(from).unwrap();
    let end = start + text[start..].find(to).unwrap() + to.len();
    &text[start..end]
}

fn evil(text: &str) -> String {
    text.replace("user-1", "victim").replace("jane@corp.example", "ceo@corp.example")
}

/// The eight classic wrappings (Somorovsky and others, 2012), each with the original response or assertion
/// somewhere that the reference still finds, and with the forged one where a careless reader looks.
fn wrappings() -> Vec<(&'static str, String)> {
    let by_response = signed(&Signing::at(Placement::Response));
    let response_signature = cut(&by_response, "<ds:Signature ", "</ds:Signature>").to_owned();
    let bare_response = by_response.replace(&response_signature, "");
    let evil_response = evil(&bare_response).replace("_response1", "_evil").replace("_assertion1", "_evil2");
    let issuer_end = "</saml:Issuer>";
    let into_evil = |inner: &str| evil_response.replacen(issuer_end, &format!("{issuer_end}{inner}"), 1);

    let by_assertion = signed(&Signing::at(Placement::Assertion));
    let assertion = cut(&by_assertion, "<saml:Assertion ", "</saml:Assertion>").to_owned();
    let signature = cut(&assertion, "<ds:Signature ", "</ds:Signature>").to_owned();
    let bare = assertion.replace(&signature, "");
    let forged = evil(&bare).replace("_assertion1", "_evil");
    let forged_with = |inner: &str| forged.replacen(issuer_end, &format!("{issuer_end}{inner}"), 1);
    let document = |inside: &str| by_assertion.replace(&assertion, inside);
    let holding = |held: &str| signature.replace("</ds:Signature>", &format!("{held}</ds:Signature>"));

    vec![
        (
            "XSW1",
            into_evil(
                &response_signature.replace("</ds:Signature>", &format!("{bare_response}</ds:Signature>")),
            ),
        ),
        ("XSW2", into_evil(&format!("{bare_response}{response_signature}"))),
        ("XSW3", document(&format!("{forged}{assertion}"))),
        ("XSW4", document(&forged_with(&assertion))),
        (
            "XSW4 at the end",
            document(&forged.replace("</saml:Assertion>", &format!("{assertion}</saml:Assertion>"))),
        ),
        ("XSW5", document(&format!("{}{bare}", forged_with(&signature)))),
        ("XSW6", document(&forged_with(&holding(&bare)))),
        ("XSW7", document(&format!("<samlp:Extensions>{assertion}</samlp:Extensions>{forged}"))),
        ("XSW7 reversed", document(&format!("<samlp:Extensions>{forged}</samlp:Extensions>{assertion}"))),
        ("XSW8", document(&forged_with(&holding(&format!("<ds:Object>{bare}</ds:Object>"))))),
        ("forged first, same ID", document(&format!("{}{assertion}", evil(&bare)))),
        ("forged last, same ID", document(&format!("{assertion}{}", evil(&bare)))),
        (
            "advice",
            document(&assertion.replace(
                "</saml:Assertion>",
                &format!("<saml:Advice>{forged}</saml:Advice></saml:Assertion>"),
            )),
        ),
        (
            "signature only, forged content",
            document(&forged_with(&signature.replace("#_assertion1", "#_evil"))),
        ),
        ("changed content", evil(&by_assertion)),
        ("changed content in the response", evil(&by_response)),
        ("stripped", bare_response),
    ]
}

#[test]
fn no_wrapping_gets_in() {
    for (name, xml) in wrappings() {
        assert!(
            scan(&xml, Rules::MESSAGE).is_ok(),
            "{name} should be refused for its structure, not its syntax"
        );
        let code = refused(&xml);
        let structural = [
            "assertion_count",
            "not_a_response",
            "signature_structure",
            "bad_id",
            "content_altered",
            "signature_mismatch",
            "unsigned",
        ];
        assert!(structural.contains(&code), "{name}: {code}");
        assert!(check(&xml).is_err(), "{name}");
    }
}

#[test]
fn an_unsigned_or_foreign_response_is_refused() {
    assert_eq!(refused(&signed(&Signing::at(Placement::Nothing))), "unsigned");
    let foreign = Signing::default().respond(&spec(), stranger()).unwrap();
    let refusal = check(&foreign).unwrap_err();
    assert!(refusal.to_string().contains(certificate(stranger()).fingerprint()), "{refusal}");
    // One right signature does not carry a wrong one.
    let xml = Signing::at(Placement::Assertion).respond(&spec(), stranger()).unwrap();
    let mixed = Signing::at(Placement::Response).sign(&xml, "_response1", rsa()).unwrap();
    assert_eq!(refused(&mixed), "signature_mismatch");
    let xml = Signing::at(Placement::Assertion).respond(&spec(), rsa()).unwrap();
    let mixed = Signing::at(Placement::Response).sign(&xml, "_response1", stranger()).unwrap();
    assert_eq!(refused(&mixed), "signature_mismatch");
}

/// Though nothing is read from it where the assertion is signed as well.
#[test]
fn a_signed_response_must_be_unaltered_around_a_signed_assertion() {
    let both = signed(&Signing::default());
    for (from, to) in [
        ("<samlp:Status>", "<samlp:Status> "),
        ("<samlp:Response ", "<samlp:Response Consent=\"urn:example:none\" "),
        ("</saml:Assertion>", "</saml:Assertion>\n"),
    ] {
        assert_eq!(refused(&both.replacen(from, to, 1)), "content_altered", "{to}");
    }
    let mut spec = spec();
    spec.destination = None;
    for (placement, outcome) in [(Placement::Both, Err("wrong_destination")), (Placement::Assertion, Ok(()))]
    {
        let xml = Signing::at(placement).respond(&spec, rsa()).unwrap();
        assert_eq!(check(&xml).map(drop).map_err(|refusal| refusal.code()), outcome, "{placement:?}");
    }
}

#[test]
fn without_a_certificate_nothing_gets_in() {
    for placement in [Placement::Nothing, Placement::Both] {
        let outcome = verify(&form(&signed(&Signing::at(placement))), &expected(&[]), NOW);
        assert_eq!(outcome.unwrap_err(), SamlRefusal::NoCertificates);
    }
}

#[test]
fn weak_and_odd_algorithms_are_refused() {
    let with = |algorithm: &str| {
        let uri = algorithm.to_owned();
        refused(&signed(&Signing { algorithm: Some(uri), ..Signing::default() }))
    };
    assert_eq!(with("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), "sha1_refused");
    assert_eq!(with("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"), "sha1_refused");
    assert_eq!(with("http://www.w3.org/2001/04/xmldsig-more#rsa-md5"), "algorithm_refused");
    assert_eq!(with("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), "algorithm_refused");
    assert_eq!(with("http://www.w3.org/2000/09/xmldsig#hmac-sha1"), "sha1_refused");
    assert_eq!(with("http://www.w3.org/2009/xmldsig11#dsa-sha256"), "algorithm_refused");
    assert_eq!(with(""), "algorithm_refused");
    assert_eq!(with("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"), "signature_mismatch");
    let digest = "http://www.w3.org/2000/09/xmldsig#sha1".to_owned();
    assert_eq!(refused(&signed(&Signing { digest, ..Signing::default() })), "sha1_refused");
    let digest = "http://www.w3.org/2001/04/xmldsig-more#md5".to_owned();
    assert_eq!(refused(&signed(&Signing { digest, ..Signing::default() })), "algorithm_refused");
    // A right signature with a parameter that would shorten it.
    let xml = signed(&Signing::default()).replacen(
        "rsa-sha256\"></ds:SignatureMethod>",
        "rsa-sha256\"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
        1,
    );
    let xml = xml.replacen(
        "rsa-sha256\"/>",
        "rsa-sha256\"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
        1,
    );
    assert_eq!(refused(&xml), "signature_structure");
}

#[test]
fn ecdsa_zero_and_short_signatures_are_refused() {
    let key = key(KeyType::EcP256);
    let xml = Signing::at(Placement::Assertion).respond(&spec(), &key).unwrap();
    let value = cut(&xml, "<ds:SignatureValue>", "</ds:SignatureValue>").to_owned();
    for bytes in [vec![0; 64], vec![0; 2], vec![1; 63], vec![0xff; 64]] {
        let forged = format!("<ds:SignatureValue>{}</ds:SignatureValue>", STANDARD.encode(bytes));
        let outcome = verify(&form(&xml.replace(&value, &forged)), &expected(&[&key]), NOW);
        assert_eq!(outcome.unwrap_err().code(), "signature_mismatch");
    }
}

#[test]
fn references_elsewhere_are_refused_before_crypto_and_fetch_nothing() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let url = format!("http://{}/x", server.local_addr().unwrap());
    for uri in [
        url.as_str(),
        "file:///dev/zero",
        "file:///etc/passwd",
        "",
        "#",
        "#_response1",
        "#xpointer(/)",
        "#xpointer(id('_assertion1'))",
        "_assertion1",
        "#_ASSERTION1",
        "cid:_assertion1",
    ] {
        let signing = Signing { reference_uri: Some(uri.to_owned()), ..Signing::at(Placement::Assertion) };
        assert_eq!(refused(&signed(&signing)), "signature_structure", "{uri}");
        assert_eq!(check(&signed(&signing)).unwrap_err().code(), "signature_structure", "{uri}");
    }
    assert!(server.accept().is_err(), "something was fetched");
}

#[test]
fn other_transforms_are_refused() {
    let transform = |uri: &str| format!("<ds:Transform Algorithm=\"{uri}\"/>");
    let enveloped = transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature");
    let exclusive = transform("http://www.w3.org/2001/10/xml-exc-c14n#");
    let xslt = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\">\
                <xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"/></ds:Transform>";
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">\
                 <ds:XPath>count(//*)</ds:XPath></ds:Transform>";
    for transforms in [
        String::new(),
        enveloped.clone(),
        exclusive.clone(),
        format!("{exclusive}{enveloped}"),
        format!("{exclusive}{exclusive}"),
        format!("{}{exclusive}", transform("http://www.w3.org/2002/06/xmldsig-filter2")),
        format!("{enveloped}{exclusive}{exclusive}"),
        format!("{enveloped}{}", exclusive.repeat(1000)),
        format!("{enveloped}{xslt}"),
        format!("{xpath}{exclusive}"),
        format!("{enveloped}{}", transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
        format!("{enveloped}{}", transform("http://www.w3.org/2000/09/xmldsig#base64")),
    ] {
        let signing = Signing { transforms: Some(transforms.clone()), ..Signing::at(Placement::Assertion) };
        assert_eq!(refused(&signed(&signing)), "signature_structure", "{transforms:.300}");
    }
}

#[test]
fn several_references_objects_and_retrieval_are_refused() {
    let xml = signed(&Signing::at(Placement::Assertion));
    let second = cut(&xml, "<ds:Reference ", "</ds:Reference>").to_owned();
    let signing = Signing { more_signed_info: second, ..Signing::at(Placement::Assertion) };
    assert_eq!(refused(&signed(&signing)), "signature_structure");
    for more in ["<ds:Object>x</ds:Object>", "<ds:SignedInfo/>", "<ds:KeyInfo/>", "<x/>", "text"] {
        let signing = Signing { more_signature: more.to_owned(), ..Signing::at(Placement::Assertion) };
        assert_eq!(refused(&signed(&signing)), "signature_structure", "{more}");
    }
    for inside in [
        "<ds:RetrievalMethod URI=\"http://127.0.0.1:1/key\"/>",
        "<ds:X509Data><ds:RetrievalMethod URI=\"file:///etc/passwd\"/></ds:X509Data>",
        "<dsig11:KeyInfoReference xmlns:dsig11=\"http://www.w3.org/2009/xmldsig11#\" URI=\"http://127.0.0.1:1/key\"/>",
        "<x xmlns=\"urn:example:x\"/>",
    ] {
        let signing =
            Signing { key_info: KeyInfo::Xml(inside.to_owned()), ..Signing::at(Placement::Assertion) };
        assert_eq!(refused(&signed(&signing)), "signature_structure", "{inside}");
    }
    let twice = Signing::at(Placement::Assertion).sign(&xml, "_assertion1", rsa()).unwrap();
    assert_eq!(refused(&twice), "signature_structure");
    let elsewhere = xml.replace(cut(&xml, "<ds:Signature ", "</ds:Signature>"), "");
    let moved = elsewhere.replace(
        "<saml:Subject>",
        &format!("<saml:Subject>{}", cut(&xml, "<ds:Signature ", "</ds:Signature>")),
    );
    assert_eq!(refused(&moved), "signature_structure");
}

#[test]
fn syntax_that_readers_disagree_on_is_refused() {
    let xml = signed(&Signing::default());
    let altered = |from: &str, to: &str| {
        let changed = xml.replacen(from, to, 1);
        assert_ne!(changed, xml);
        refused(&changed)
    };
    assert_eq!(altered("user-1", "user-1<!-- -->.evil"), "malformed_xml");
    assert_eq!(altered("user-1", "user-1<?x y?>"), "malformed_xml");
    assert_eq!(altered("user-1", "<![CDATA[user-1]]>"), "malformed_xml");
    assert_eq!(
        altered("<samlp:Response ", "<!DOCTYPE x [<!ENTITY a \"b\">]><samlp:Response "),
        "malformed_xml"
    );
    assert_eq!(altered("<samlp:Response ", "<samlp:Response xmlns:q=\"relative\" "), "malformed_xml");
    assert_eq!(altered("<samlp:Response ", "<samlp:Response xml:id=\"_assertion1\" "), "bad_id");
    assert_eq!(altered("<saml:NameID ", "<saml:NameID Id=\"_assertion1\" "), "bad_id");
    assert_eq!(refused(&format!("{xml}<x/>")), "malformed_xml");
    assert_eq!(refused(&format!("{xml}x")), "malformed_xml");
    assert_eq!(refused(&format!("<?xml version=\"1.1\"?>{xml}")), "malformed_xml");
    assert_eq!(refused(&format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{xml}")), "malformed_xml");
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{xml}</s:Body></s:Envelope>"
    );
    assert_eq!(refused(&envelope), "not_a_response");
    let bare = cut(&xml, "<saml:Assertion ", "</saml:Assertion>");
    assert_eq!(refused(bare), "not_a_response");
}

#[test]
fn encrypted_parts_are_refused_by_name() {
    let xml = signed(&Signing::at(Placement::Response));
    let assertion = cut(&xml, "<saml:Assertion ", "</saml:Assertion>");
    let namespace = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
    let encrypted = xml.replace(assertion, &format!("<saml:EncryptedAssertion {namespace}/>"));
    assert_eq!(refused(&encrypted), "content_altered", "what was signed is not what came");
    assert_eq!(
        refused(&xml.replace("<saml:Subject>", "<saml:Subject><saml:EncryptedID/>")),
        "encrypted_unsupported"
    );
}

#[test]
fn what_is_not_a_document_is_refused_quickly() {
    let expected = expected(&[rsa()]);
    let code = |value: &[u8]| verify(value, &expected, NOW).unwrap_err().code();
    assert_eq!(code(b""), "malformed_xml");
    assert_eq!(code(b"%%%"), "not_base64");
    assert_eq!(code(STANDARD.encode(b"\xff\xfe<\0a\0").as_bytes()), "not_utf8");
    assert_eq!(code(&vec![b'A'; 1_500_001]), "response_too_large");
    let started = std::time::Instant::now();
    for body in [
        format!("<a{}/>", " b=\"\"".repeat(200_000)),
        "<a>".repeat(300_000),
        format!("<a>{}</a>", "<b/>".repeat(250_000)),
        format!("<a>{}</a>", "&amp;".repeat(220_000)),
        format!("<a xmlns:p=\"urn:x\">{}</a>", "<p:b p:c=\"\" p:d=\"\"/>".repeat(19_000)),
    ] {
        assert!(["malformed_xml", "not_a_response"].contains(&code(&form(&body))), "{body:.40}");
    }
    assert!(started.elapsed().as_secs() < 10, "took {:?}", started.elapsed());
}

#[derive(Debug, Clone)]
enum Change {
    Replace(usize, char),
    Delete(usize, usize),
    Copy { from: usize, length: usize, to: usize },
    Insert(usize, &'static str),
}

impl Change {
    fn apply(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let n = chars.len();
        let collect = |parts: &[&[char]]| parts.iter().flat_map(|p| p.iter()).collect::<String>();
        match *self {
            Self::Replace(at, with) => collect(&[&chars[..at % n], &[with], &chars[at % n + 1..]]),
            Self::Delete(at, length) => collect(&[&chars[..at % n], &chars[(at % n + length).min(n)..]]),
            Self::Copy { from, length, to } => {
                let piece = &chars[from % n..(from % n + length).min(n)];
                collect(&[&chars[..to % n], piece, &chars[to % n..]])
            }
            Self::Insert(at, what) => {
                let what: Vec<char> = what.chars().collect();
                collect(&[&chars[..at % n], &what, &chars[at % n..]])
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0usize..100_000;
    prop_oneof![
        (
            at.clone(),
            prop_oneof![Just('x'), Just('<'), Just('>'), Just('"'), Just('&'), Just(' '), any::<char>()]
        )
            .prop_map(|(a, c)| Change::Replace(a, c)),
        (at.clone(), 1usize..400).prop_map(|(a, l)| Change::Delete(a, l)),
        (at.clone(), 1usize..3000, at.clone()).prop_map(|(from, length, to)| Change::Copy {
            from,
            length,
            to
        }),
        (
            at,
            prop_oneof![
                Just("victim"),
                Just("<saml:NameID>victim</saml:NameID>"),
                Just("<x/>"),
                Just("&#65;"),
                Just(" "),
                Just("\n"),
                Just("<!-- -->"),
                Just(" xmlns:saml=\"urn:x\""),
            ]
        )
            .prop_map(|(a, w)| Change::Insert(a, w)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to a signed response, it is refused or still says what was signed.
    #[test]
    fn changes_never_sign_in_anybody_else(
        placement in prop_oneof![Just(Placement::Response), Just(Placement::Assertion), Just(Placement::Both)],
        changes in prop::collection::vec(change(), 1..4),
    ) {
        static SIGNED: OnceLock<Vec<(Placement, String)>> = OnceLock::new();
        let all = SIGNED.get_or_init(|| PLACEMENTS.iter().map(|p| (*p, signed(&Signing::at(*p)))).collect());
        let mut xml = all.iter().find(|(p, _)| *p == placement).unwrap().1.clone();
        for change in &changes {
            xml = change.apply(&xml);
        }
        if let Ok(assertion) = check(&xml) {
            prop_assert_eq!(&assertion.name_id().value, "user-1");
            prop_assert_eq!(&assertion.attributes()[0].values[0], "jane@corp.example");
            prop_assert_eq!(assertion.assertion_id(), "_assertion1");
        }
    }

    /// The reader never panics and never loops, whatever it is given.
    #[test]
    fn the_reader_takes_anything(text in "[<>/!?a:= \"'&;#x0-9\\[\\]\\-é\n]{0,200}") {
        let _ = scan(&text, Rules::MESSAGE);
        let _ = scan(&text, Rules::METADATA);
    }
}
