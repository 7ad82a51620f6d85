//! Reading IdP metadata in the shapes that IdPs give it, and refusing what cannot be used.

use super::super::signer::idp_metadata;
use super::*;
use crate::protocol::saml::{SpMetadata, read_idp_metadata};

const SSO: &str = "https://idp.example/sso?app=1";

fn usual() -> String {
    idp_metadata(IDP, SSO, &[rsa().certificate_base64().unwrap()])
}

fn sp_metadata() -> String {
    let metadata = SpMetadata {
        entity_id: SP,
        acs_url: ACS,
        slo_url: None,
        signing: vec![certificate(rsa())],
        encryption: vec![certificate(stranger())],
        sign_requests: true,
        name_id_format: None,
    };
    metadata.to_xml()
}

fn code(xml: &str) -> &'static str {
    read_idp_metadata(xml.as_bytes()).expect_err(xml).code()
}

#[test]
fn reads_the_usual_shape() {
    let read = read_idp_metadata(usual().as_bytes()).unwrap();
    assert_eq!(read.entity_id, IDP);
    assert_eq!(read.sso_redirect_url, SSO);
    assert_eq!(read.sso_post_url, None);
    assert_eq!(read.certificates, [certificate(rsa())]);
    assert!(!read.wants_signed_requests);
    assert_eq!(read.valid_until, None);
}

/// cacheDuration, comments, another role, key descriptors apart from each other, several X509Data, wrapped base64,
/// a key for encryption only, the POST binding first, another prefix.
#[test]
fn reads_odd_but_real_shapes() {
    let (one, two, three) = (rsa(), stranger(), key(KeyType::EcP256));
    let base64 = |key: &SigningKey| key.certificate_base64().unwrap();
    let wrapped = certificate(one).to_pem();
    let wrapped = wrapped.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n");
    let data =
        |text: &str| format!("<d:X509Data><d:X509Certificate>\n{text}</d:X509Certificate></d:X509Data>");
    let xml = format!(
        "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?><!-- exported -->\n\
         <EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\" \
           ID=\"_1\" entityID=\"{IDP}\" validUntil=\"2030-01-01T00:00:00Z\" cacheDuration=\"PT1H\">\
         <RoleDescriptor xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"fed:X\" \
           protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"/>\
         <IDPSSODescriptor cacheDuration=\"P1D\" WantAuthnRequestsSigned=\"true\" validUntil=\"2028-01-01T00:00:00Z\" \
           protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:1.1:protocol urn:oasis:names:tc:SAML:2.0:protocol\">\
         <KeyDescriptor use=\"encryption\"><d:KeyInfo>{}</d:KeyInfo></KeyDescriptor>\
         <KeyDescriptor use=\"signing\"><d:KeyInfo>{}{}</d:KeyInfo></KeyDescriptor>\
         <NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</NameIDFormat>\
         <SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://idp.example/post\"/>\
         <SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"{SSO}\"/>\
         <KeyDescriptor><d:KeyInfo>{}</d:KeyInfo></KeyDescriptor>\
         </IDPSSODescriptor></EntityDescriptor>",
        data(&base64(two)),
        data(&wrapped),
        data(&base64(&three)),
        data(&base64(one)),
    );
    let read = read_idp_metadata(xml.as_bytes()).unwrap();
    assert_eq!(read.certificates, [certificate(one), certificate(&three)]);
    assert_eq!(read.sso_post_url.as_deref(), Some("https://idp.example/post"));
    assert!(read.wants_signed_requests);
    assert_eq!(read.valid_until.unwrap().year(), 2028);
}

#[test]
fn a_collection_needs_exactly_one_idp() {
    let one = usual().replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "");
    let all = |inside: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{inside}</md:EntitiesDescriptor>"
        )
    };
    let sp = sp_metadata().replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "");
    assert_eq!(read_idp_metadata(all(&format!("{sp}{one}")).as_bytes()).unwrap().entity_id, IDP);
    assert_eq!(code(&all(&format!("{one}{one}"))), "metadata_several_idps");
    assert_eq!(code(&all("")), "metadata_no_idp");
    assert_eq!(code(&sp_metadata()), "metadata_no_idp");
}

#[test]
fn refuses_what_cannot_be_used() {
    let changed = |from: &str, to: &str| {
        let xml = usual().replace(from, to);
        assert_ne!(xml, usual(), "{from}");
        code(&xml)
    };
    assert_eq!(changed("use=\"signing\"", "use=\"encryption\""), "metadata_no_certificate");
    assert_eq!(changed("<ds:X509Certificate>", "<ds:X509Certificate>AAAA"), "metadata_no_certificate");
    assert_eq!(changed("HTTP-Redirect", "HTTP-POST"), "metadata_no_redirect_url");
    assert_eq!(changed(SSO, "http://idp.example/sso"), "metadata_bad_url");
    assert_eq!(changed(SSO, "javascript:alert(1)"), "metadata_bad_url");
    assert_eq!(changed(SSO, "https://a:b@idp.example/"), "metadata_bad_url");
    assert_eq!(changed(&format!("entityID=\"{IDP}\""), "entityID=\" \""), "metadata_no_entity_id");
    assert_eq!(changed("urn:oasis:names:tc:SAML:2.0:metadata", "urn:example:other"), "metadata_not_metadata");
    assert_eq!(
        changed("<md:IDPSSODescriptor ", "<md:IDPSSODescriptor validUntil=\"soon\" "),
        "metadata_bad_valid_until"
    );
    assert_eq!(code("<html><body>Sign in</body></html>"), "metadata_not_metadata");
    assert_eq!(code("https://idp.example/metadata"), "metadata_malformed_xml");
    assert_eq!(
        code(&format!("<!DOCTYPE x>{}", usual().split_once('\n').unwrap().1)),
        "metadata_malformed_xml"
    );
    assert_eq!(read_idp_metadata(b"\xff").unwrap_err().code(), "metadata_not_utf8");
    assert_eq!(read_idp_metadata(&vec![b' '; 1_500_001]).unwrap_err().code(), "metadata_too_large");
    // Plain http is for machines that talk to themselves.
    let local = usual().replace(SSO, "http://127.0.0.1:8081/sso");
    assert!(read_idp_metadata(local.as_bytes()).is_ok());
}
