//! Two command lines that share no code with our signatures: xmlsec1 signs responses that we take, and openssl verifies
//! the requests that we sign.

use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern::demo::idp::Placement;
use serde_json::json;

use super::encryption::certificates;
use super::{Person, Tenant, refused};
use crate::support::app::TestApp;
use crate::support::scratch::Scratch;

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Runs a program of the machine in a folder.
fn run(folder: &Scratch, program: &str, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(program).args(arguments).current_dir(folder.path()).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}: `make setup` installs it"));
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if done.status.success() { Ok(said) } else { Err(format!("{program} {arguments:?}: {said}")) }
}

/// A key and a certificate, made by openssl in `key.pem` and `certificate.pem`; the certificate.
fn openssl_key(folder: &Scratch, kind: &[&str]) -> String {
    let usual = [
        "req",
        "-x509",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=idp",
        "-keyout",
        "key.pem",
        "-out",
        "certificate.pem",
    ];
    run(folder, "openssl", &[&usual[..], kind].concat()).expect("a key");
    std::fs::read_to_string(folder.path().join("certificate.pem")).expect("the certificate")
}

/// A signature that still is to be made.
fn template(id: &str, family: &str, hash: &str) -> String {
    let digest = match hash {
        "sha384" => "http://www.w3.org/2001/04/xmldsig-more#sha384".to_owned(),
        other => format!("http://www.w3.org/2001/04/xmlenc#{other}"),
    };
    format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#{family}-{hash}\"/>\
         <ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{DSIG}enveloped-signature\"/>\
         <ds:Transform Algorithm=\"{EXC_C14N}\"/></ds:Transforms><ds:DigestMethod Algorithm=\"{digest}\"/>\
         <ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo>\
         </ds:Signature>",
    )
}

#[tokio::test]
async fn what_xmlsec1_signs_gets_in() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let connection = acme.api(&format!("/saml-connections/{}", acme.connection));
    let ec = |curve: &'static str| vec!["-newkey", "ec", "-pkeyopt", curve];
    for (kind, family, hashes) in [
        (vec!["-newkey", "rsa:2048"], "rsa", vec!["sha256", "sha384", "sha512"]),
        (ec("ec_paramgen_curve:prime256v1"), "ecdsa", vec!["sha256"]),
        (ec("ec_paramgen_curve:secp384r1"), "ecdsa", vec!["sha384"]),
    ] {
        let folder = Scratch::new("xmlsec1");
        let certificate = openssl_key(&folder, &kind);
        let change = json!({ "certificates": [certificate] });
        app.patch(&connection).operator().json(&change).send().await.expect(200);
        for (hash, placement) in
            hashes.into_iter().flat_map(|hash| [(hash, Placement::Assertion), (hash, Placement::Response)])
        {
            let mut jo = Person::new();
            let begun = jo.begin(&app, "jo@acme.test").await;
            let spec = acme.response(&app, &begun, "subject-1", "jo@acme.test");
            let (id, node) = match placement {
                Placement::Response => (&spec.response_id, "urn:oasis:names:tc:SAML:2.0:protocol:Response"),
                _ => (&spec.assertion_id, "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"),
            };
            let xml = spec.to_xml();
            let from = xml.find(&format!("ID=\"{id}\"")).expect("the element");
            let end = "</saml:Issuer>";
            let at = from + xml[from..].find(end).expect("its issuer") + end.len();
            folder
                .write("template.xml", format!("{}{}{}", &xml[..at], template(id, family, hash), &xml[at..]));
            let key = "key.pem,certificate.pem";
            let arguments = [
                "--sign",
                "--privkey-pem",
                key,
                "--id-attr:ID",
                node,
                "--output",
                "signed.xml",
                "template.xml",
            ];
            run(&folder, "xmlsec1", &arguments).expect("signed");
            let signed = std::fs::read_to_string(folder.path().join("signed.xml")).expect("signed");
            // It itself agrees, and so do we; and neither does about another person.
            let verify = |file: &str| {
                let arguments =
                    ["--verify", "--pubkey-cert-pem", "certificate.pem", "--id-attr:ID", node, file];
                run(&folder, "xmlsec1", &arguments)
            };
            verify("signed.xml").expect("right");
            let answer = jo.post(&app, &acme, &BASE64_STANDARD.encode(&signed)).await;
            assert_eq!(answer.status, 303, "{family} {hash} {placement:?}: {}\n{signed}", answer.body);
            jo.me(&app).await.expect(200);
            let altered = signed.replace("jo@acme.test", "al@acme.test");
            folder.write("altered.xml", &altered);
            verify("altered.xml").expect_err("altered");
            let mut eve = Person::new();
            eve.begin(&app, "jo@acme.test").await;
            let answer = eve.post(&app, &acme, &BASE64_STANDARD.encode(&altered)).await;
            assert!(answer.status == 403 && eve.session.is_none(), "{}", answer.body);
        }
    }
    assert_eq!(acme.members(&app).await, 1);
    // The key of one connection is no other's.
    let other = Tenant::new(&app, "Other", "other.test").await;
    let mut eve = Person::new();
    let begun = eve.begin(&app, "eve@other.test").await;
    let response = acme.sign(&other.response(&app, &begun, "s", "eve@other.test"));
    refused(&eve.post(&app, &other, &response).await, "signature_mismatch");
}

#[tokio::test]
async fn openssl_verifies_our_requests() {
    let app = TestApp::start().await;
    let acme = Tenant::new(&app, "Acme", "acme.test").await;
    let connection = acme.api(&format!("/saml-connections/{}", acme.connection));
    app.patch(&connection).operator().json(&json!({ "sign_requests": true })).send().await.expect(200);
    let folder = Scratch::new("openssl");
    let ours = certificates(&acme.metadata(&app).await, "signing").remove(0);
    folder.write("ours.der", ours);
    let public = ["x509", "-inform", "DER", "-in", "ours.der", "-pubkey", "-noout"];
    folder.write("ours.pem", run(&folder, "openssl", &public).expect("our key"));
    let begun = Person::new().begin(&app, "jo@acme.test").await;
    // The octets that are signed are those of the address as it is written (SAML 2.0 bindings, section 3.4.4.1).
    let query = begun.url.query().expect("a query");
    let from = query.find("SAMLRequest=").expect("a request");
    let (signed, _) = query[from..].split_once("&Signature=").expect("a signature");
    assert!(signed.contains("&RelayState=") && signed.contains("&SigAlg="), "{signed}");
    let signature = begun.url.query_pairs().find(|(name, _)| name == "Signature").expect("a signature").1;
    folder.write("signature", BASE64_STANDARD.decode(signature.as_bytes()).expect("base64"));
    let verify = |octets: &str| {
        folder.write("octets", octets);
        let arguments = ["dgst", "-sha256", "-verify", "ours.pem", "-signature", "signature", "octets"];
        run(&folder, "openssl", &arguments)
    };
    assert!(verify(signed).expect("right").contains("Verified OK"));
    verify(&signed.replace("&RelayState=", "&RelayState=x")).expect_err("altered");
}
