//! Metadata in the shapes that products give it (written from what they are known to contain), and whose signature counts
//! on it.

use super::*;
use crate::protocol::saml::signature::XmlsecVerifier;
use crate::protocol::saml::{
    DocumentSignature, IdpMetadata, LogoutBinding, MetadataError, read_idp_metadata, read_signed_metadata,
};

const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const BINDING: &str = "urn:oasis:names:tc:SAML:2.0:bindings:";

fn base64(key: &SigningKey) -> String {
    key.certificate_base64().unwrap()
}

/// In lines, as many products write it.
fn wrapped(key: &SigningKey) -> String {
    let pem = certificate(key).to_pem();
    pem.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n        ")
}

/// A key descriptor with the prefixes `md:` and `ds:`.
fn descriptor(usage: &str, text: &str) -> String {
    format!(
        "<md:KeyDescriptor{usage}><ds:KeyInfo xmlns:ds=\"{DS}\"><ds:X509Data><ds:X509Certificate>{text}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>\n"
    )
}

/// A service with the prefix `md:`.
fn service(name: &str, binding: &str, url: &str) -> String {
    format!("<md:{name} Binding=\"{BINDING}{binding}\" Location=\"{url}\"/>\n")
}

fn format_of(prefix: &str, version: &str, name: &str) -> String {
    format!(
        "<{prefix}NameIDFormat>urn:oasis:names:tc:SAML:{version}:nameid-format:{name}</{prefix}NameIDFormat>"
    )
}

fn entity(attributes: &str, role: &str, inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{MD}\" {attributes}>\
         <md:IDPSSODescriptor {role} protocolSupportEnumeration=\"{PROTOCOL}\">{inside}</md:IDPSSODescriptor>\
         </md:EntityDescriptor>"
    )
}

fn read(xml: &str) -> IdpMetadata {
    read_idp_metadata(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"))
}

/// Binding, where requests go, where responses go.
fn logout(read: &IdpMetadata) -> Option<(LogoutBinding, &str, Option<&str>)> {
    read.logout.as_ref().map(|l| (l.binding, l.url.as_str(), l.response_url.as_deref()))
}

const SIGNING: &str = " use=\"signing\"";

#[test]
fn okta_google_onelogin_and_jumpcloud() {
    let okta = entity(
        "entityID=\"http://www.okta.com/exk1\"",
        "WantAuthnRequestsSigned=\"false\"",
        &[
            descriptor(SIGNING, &wrapped(rsa())),
            format_of("md:", "1.1", "unspecified"),
            format_of("md:", "1.1", "emailAddress"),
            service("SingleSignOnService", "HTTP-POST", "https://acme.okta.com/app/a/exk1/sso/saml"),
            service("SingleSignOnService", "HTTP-Redirect", "https://acme.okta.com/app/a/exk1/sso/saml"),
        ]
        .concat(),
    );
    let read_okta = read(&okta);
    assert_eq!(read_okta.entity_id, "http://www.okta.com/exk1");
    assert_eq!(read_okta.sso_redirect_url, "https://acme.okta.com/app/a/exk1/sso/saml");
    assert_eq!((read_okta.certificates.len(), logout(&read_okta)), (1, None));
    assert_eq!(read_okta.name_id_formats.len(), 2);

    let google = entity(
        "entityID=\"https://accounts.google.com/o/saml2?idpid=C01\" validUntil=\"2031-05-01T12:00:00.000Z\"",
        "WantAuthnRequestsSigned=\"false\"",
        &[
            descriptor(SIGNING, &base64(rsa())),
            descriptor(SIGNING, &base64(stranger())),
            format_of("md:", "1.1", "emailAddress"),
            service(
                "SingleSignOnService",
                "HTTP-Redirect",
                "https://accounts.google.com/o/saml2/idp?idpid=C01",
            ),
            service("SingleSignOnService", "HTTP-POST", "https://accounts.google.com/o/saml2/idp?idpid=C01"),
        ]
        .concat(),
    );
    let read_google = read(&google);
    assert_eq!(read_google.sso_redirect_url, "https://accounts.google.com/o/saml2/idp?idpid=C01");
    assert_eq!((read_google.certificates.len(), read_google.valid_until.unwrap().year()), (2, 2031));

    let onelogin = entity(
        "entityID=\"https://app.onelogin.com/saml/metadata/11aa\"",
        "",
        &[
            descriptor(SIGNING, &wrapped(rsa())),
            service(
                "SingleLogoutService",
                "HTTP-Redirect",
                "https://acme.onelogin.com/trust/saml2/http-redirect/slo/7",
            ),
            format_of("md:", "1.1", "emailAddress"),
            service(
                "SingleSignOnService",
                "HTTP-Redirect",
                "https://acme.onelogin.com/trust/saml2/http-redirect/sso/7",
            ),
            service(
                "SingleSignOnService",
                "HTTP-POST",
                "https://acme.onelogin.com/trust/saml2/http-post/sso/7",
            ),
            service("SingleSignOnService", "SOAP", "https://acme.onelogin.com/trust/saml2/soap/sso/7"),
        ]
        .concat(),
    );
    let read_onelogin = read(&onelogin);
    assert!(read_onelogin.sso_redirect_url.ends_with("/http-redirect/sso/7"));
    assert!(read_onelogin.sso_post_url.as_deref().unwrap().ends_with("/http-post/sso/7"));
    assert_eq!(logout(&read_onelogin).unwrap().0, LogoutBinding::Redirect);

    // The entity id is what the administrator typed.
    let jumpcloud = entity(
        "entityID=\"JumpCloud\"",
        "WantAuthnRequestsSigned=\"false\"",
        &[
            descriptor(SIGNING, &wrapped(rsa())),
            format_of("md:", "1.1", "unspecified"),
            service("SingleSignOnService", "HTTP-Redirect", "https://sso.jumpcloud.com/saml2/acme"),
            service("SingleSignOnService", "HTTP-POST", "https://sso.jumpcloud.com/saml2/acme"),
        ]
        .concat(),
    );
    assert_eq!(read(&jumpcloud).entity_id, "JumpCloud");
}

/// Without prefixes, signed, with roles of WS-Federation in front that hold keys of their own.
#[test]
fn entra_and_ad_fs() {
    let (current, next, other) = (rsa(), stranger(), key(KeyType::EcP256));
    let plain = |usage: &str, key: &SigningKey| {
        format!(
            "<KeyDescriptor use=\"{usage}\"><KeyInfo xmlns=\"{DS}\"><X509Data><X509Certificate>{}</X509Certificate>\
             </X509Data></KeyInfo></KeyDescriptor>",
            base64(key)
        )
    };
    let role = |kind: &str| {
        format!(
            "<RoleDescriptor xsi:type=\"fed:{kind}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             protocolSupportEnumeration=\"http://docs.oasis-open.org/wsfed/federation/200706\" \
             xmlns:fed=\"http://docs.oasis-open.org/wsfed/federation/200706\">{}\
             <fed:ClaimTypesOffered><auth:ClaimType Uri=\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\" \
             xmlns:auth=\"http://docs.oasis-open.org/wsfed/authorization/200706\"><auth:DisplayName>Name</auth:DisplayName>\
             </auth:ClaimType></fed:ClaimTypesOffered><fed:PassiveRequestorEndpoint>\
             <wsa:EndpointReference xmlns:wsa=\"http://www.w3.org/2005/08/addressing\"><wsa:Address>https://login.example/wsfed\
             </wsa:Address></wsa:EndpointReference></fed:PassiveRequestorEndpoint></RoleDescriptor>",
            plain("signing", &other)
        )
    };
    let document = |id: &str, inside: &str| {
        let roles = role("SecurityTokenServiceType") + &role("ApplicationServiceType");
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EntityDescriptor ID=\"_6f0b\" entityID=\"{id}\" xmlns=\"{MD}\">{roles}{inside}</EntityDescriptor>"
        );
        Signing::default().sign_metadata(&xml, "_6f0b", current).unwrap()
    };
    let entra = document(
        "https://sts.windows.net/11111111-2222/",
        &format!(
            "<IDPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\">{}{}\
             <SingleLogoutService Binding=\"{BINDING}HTTP-Redirect\" Location=\"https://login.microsoftonline.com/1/saml2\"/>\
             <SingleSignOnService Binding=\"{BINDING}HTTP-Redirect\" Location=\"https://login.microsoftonline.com/1/saml2\"/>\
             <SingleSignOnService Binding=\"{BINDING}HTTP-POST\" Location=\"https://login.microsoftonline.com/1/saml2\"/>\
             </IDPSSODescriptor>",
            plain("signing", current),
            plain("signing", next)
        ),
    );
    let signed = |xml: &str, keys: &[&SigningKey]| {
        let keys: Vec<_> = keys.iter().map(|key| certificate(key)).collect();
        read_signed_metadata(&XmlsecVerifier, xml.as_bytes(), None, &keys).unwrap()
    };
    let (read, by) = signed(&entra, &[next, current]);
    assert_eq!(by, DocumentSignature::Trusted);
    assert_eq!(read.entity_id, "https://sts.windows.net/11111111-2222/");
    assert_eq!(read.certificates, [certificate(current), certificate(next)], "not those of other roles");
    assert_eq!(
        logout(&read),
        Some((LogoutBinding::Redirect, "https://login.microsoftonline.com/1/saml2", None))
    );
    assert_eq!(signed(&entra, &[next]).1, DocumentSignature::Other);

    let ad_fs = document(
        "http://fs.corp.example/adfs/services/trust",
        &format!(
            "<SPSSODescriptor WantAssertionsSigned=\"true\" protocolSupportEnumeration=\"{PROTOCOL}\">{}\
             <AssertionConsumerService Binding=\"{BINDING}HTTP-POST\" Location=\"https://fs.corp.example/adfs/ls/\" index=\"0\" isDefault=\"true\"/>\
             </SPSSODescriptor><IDPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\">{}{}{}\
             <SingleLogoutService Binding=\"{BINDING}HTTP-POST\" Location=\"https://fs.corp.example/adfs/ls/\"/>\
             {}{}{}\
             <SingleSignOnService Binding=\"{BINDING}HTTP-Redirect\" Location=\"https://fs.corp.example/adfs/ls/\"/>\
             <SingleSignOnService Binding=\"{BINDING}HTTP-POST\" Location=\"https://fs.corp.example/adfs/ls/\"/>\
             <Attribute Name=\"http://schemas.xmlsoap.org/claims/Group\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\" \
             FriendlyName=\"Group\" xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\"/></IDPSSODescriptor>\
             <ContactPerson contactType=\"support\"/>",
            plain("encryption", &other),
            plain("encryption", &other),
            plain("signing", current),
            plain("signing", next),
            format_of("", "1.1", "emailAddress"),
            format_of("", "2.0", "persistent"),
            format_of("", "2.0", "transient"),
        ),
    );
    let (read, by) = signed(&ad_fs, &[current]);
    assert_eq!((by, read.certificates.len(), read.name_id_formats.len()), (DocumentSignature::Trusted, 2, 3));
    assert_eq!(logout(&read), Some((LogoutBinding::Post, "https://fs.corp.example/adfs/ls/", None)));
}

#[test]
fn ping_simplesamlphp_and_keycloak() {
    let ping = entity(
        "ID=\"ID1\" cacheDuration=\"PT1440M\" entityID=\"https://pf.corp.example\"",
        "WantAuthnRequestsSigned=\"true\" cacheDuration=\"P1D\"",
        &[
            // Two certificates in one KeyInfo, each in an X509Data of its own.
            descriptor(SIGNING, &base64(rsa())).replace(
                "</ds:KeyInfo>",
                &format!(
                    "<ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
                    base64(stranger())
                ),
            ),
            service("SingleLogoutService", "SOAP", "https://pf.corp.example/idp/SLO.soap"),
            service("SingleLogoutService", "HTTP-POST", "https://pf.corp.example/idp/SLO.saml2")
                .replace("/>", " ResponseLocation=\"https://pf.corp.example/idp/back\"/>"),
            service("SingleSignOnService", "HTTP-POST", "https://pf.corp.example/idp/SSO.saml2"),
            service("SingleSignOnService", "HTTP-Redirect", "https://pf.corp.example/idp/SSO.saml2"),
            service("SingleSignOnService", "HTTP-Artifact", "https://pf.corp.example/idp/SSO.saml2"),
        ]
        .concat(),
    );
    let read_ping = read(&ping);
    assert_eq!((read_ping.certificates.len(), read_ping.wants_signed_requests), (2, true));
    assert_eq!(
        logout(&read_ping),
        Some((
            LogoutBinding::Post,
            "https://pf.corp.example/idp/SLO.saml2",
            Some("https://pf.corp.example/idp/back")
        ))
    );

    let simplesamlphp = entity(
        "xmlns:shibmd=\"urn:mace:shibboleth:metadata:1.0\" entityID=\"https://idp.example/simplesaml\"",
        "",
        &[
            "<md:Extensions><shibmd:Scope regexp=\"false\">example</shibmd:Scope></md:Extensions>".to_owned(),
            descriptor(SIGNING, &base64(rsa())),
            descriptor(" use=\"encryption\"", &base64(rsa())),
            service("SingleLogoutService", "HTTP-Redirect", "https://idp.example/simplesaml/slo"),
            format_of("md:", "2.0", "transient"),
            service("SingleSignOnService", "HTTP-Redirect", "https://idp.example/simplesaml/sso"),
        ]
        .concat(),
    )
    .replace("</md:EntityDescriptor>", "<md:ContactPerson contactType=\"technical\"><md:GivenName>Admin</md:GivenName></md:ContactPerson></md:EntityDescriptor>");
    let read_php = read(&simplesamlphp);
    assert_eq!((read_php.certificates.len(), read_php.sso_post_url), (1, None));

    let keycloak = entity(
        "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" entityID=\"https://sso.example/realms/acme\"",
        "WantAuthnRequestsSigned=\"true\"",
        &[
            descriptor(SIGNING, &base64(rsa())).replace("<ds:X509Data>", "<ds:KeyName>k1</ds:KeyName><ds:X509Data>"),
            "<md:ArtifactResolutionService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" Location=\"https://sso.example/r\" index=\"0\"/>".to_owned(),
            service("SingleLogoutService", "HTTP-POST", "https://sso.example/realms/acme/protocol/saml"),
            service("SingleLogoutService", "HTTP-Redirect", "https://sso.example/realms/acme/protocol/saml"),
            format_of("md:", "2.0", "persistent"),
            format_of("md:", "2.0", "transient"),
            format_of("md:", "1.1", "unspecified"),
            format_of("md:", "1.1", "emailAddress"),
            service("SingleSignOnService", "HTTP-POST", "https://sso.example/realms/acme/protocol/saml"),
            service("SingleSignOnService", "HTTP-Redirect", "https://sso.example/realms/acme/protocol/saml"),
            // A key that stands apart from the first.
            descriptor("", &base64(stranger())),
        ]
        .concat(),
    );
    let read_keycloak = read(&keycloak);
    assert_eq!((read_keycloak.certificates.len(), read_keycloak.name_id_formats.len()), (2, 4));
    assert_eq!(
        logout(&read_keycloak).unwrap().0,
        LogoutBinding::Redirect,
        "the first choice where both are offered"
    );
    // An address for logging out that is none does not stop anybody from signing in.
    let odd =
        keycloak.replace("SingleLogoutService Binding", "SingleLogoutService Wrong=\"1\" Binding").replace(
            "Wrong=\"1\" Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https:",
            "Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"javascript:",
        );
    assert_eq!(logout(&read(&odd)).unwrap().0, LogoutBinding::Post);
    // In the collection that older versions give.
    let inner = keycloak.split_once('\n').unwrap().1;
    let collection = format!(
        "<md:EntitiesDescriptor xmlns:md=\"{MD}\" Name=\"urn:keycloak\">{inner}</md:EntitiesDescriptor>"
    );
    assert_eq!(read(&collection), read_keycloak);
}

#[test]
fn one_of_several_is_taken_by_its_name() {
    let one = |id: &str, key: &SigningKey| {
        let inside = descriptor(SIGNING, &base64(key))
            + &service("SingleSignOnService", "HTTP-Redirect", "https://idp.example/sso");
        entity(&format!("entityID=\"{id}\""), "", &inside).split_once('\n').unwrap().1.to_owned()
    };
    let all =
        |inside: &str| format!("<md:EntitiesDescriptor xmlns:md=\"{MD}\">{inside}</md:EntitiesDescriptor>");
    let two = all(&(one("urn:a", rsa()) + &all(&one("urn:b", stranger()))));
    let named = |xml: &str, name: Option<&str>| {
        read_signed_metadata(&XmlsecVerifier, xml.as_bytes(), name, &[]).map(|(read, _)| read)
    };
    assert_eq!(named(&two, Some("urn:b")).unwrap().certificates, [certificate(stranger())]);
    assert_eq!(named(&two, Some("urn:a")).unwrap().certificates, [certificate(rsa())]);
    for (xml, name) in
        [(&two, None), (&two, Some("urn:c")), (&all(&one("urn:a", rsa()).repeat(2)), Some("urn:a"))]
    {
        assert!(matches!(named(xml, name), Err(MetadataError::SeveralIdps { count: 2, .. })), "{name:?}");
    }
    // Who stands alone is read whatever name was expected: the caller tells that it is another one.
    assert_eq!(named(&one("urn:a", rsa()), Some("urn:b")).unwrap().entity_id, "urn:a");
}

#[test]
fn only_a_signature_of_the_root_by_a_known_key_counts() {
    let plain = entity(
        "ID=\"_m1\" entityID=\"urn:idp\"",
        "ID=\"_role\"",
        &(descriptor(SIGNING, &base64(rsa()))
            + &service("SingleSignOnService", "HTTP-Redirect", "https://idp.example/sso")),
    );
    let by = |xml: &str| {
        let keys = [certificate(rsa())];
        read_signed_metadata(&XmlsecVerifier, xml.as_bytes(), None, &keys)
            .unwrap_or_else(|e| panic!("{e}: {xml}"))
            .1
    };
    let with = |signing: &Signing| signing.sign_metadata(&plain, "_m1", rsa()).unwrap();
    let right = with(&Signing::default());
    assert_eq!((by(&plain), by(&right)), (DocumentSignature::Absent, DocumentSignature::Trusted));
    // Comments are no part of what is signed, nor of what is read.
    assert_eq!(
        by(&right.replace("<md:IDPSSODescriptor", "<!-- ours --><md:IDPSSODescriptor")),
        DocumentSignature::Trusted
    );

    let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1".to_owned();
    let inclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
                     <ds:Transform Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>";
    let signature = {
        let start = right.find("<ds:Signature ").unwrap();
        let end = right.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        right[start..end].to_owned()
    };
    let inner = right.split_once('\n').unwrap().1;
    for (what, forged) in [
        ("another key", Signing::default().sign_metadata(&plain, "_m1", stranger()).unwrap()),
        ("changed", right.replace("https://idp.example/sso", "https://evil.example/sso")),
        ("SHA-1", with(&Signing { digest: sha1, ..Signing::default() })),
        (
            "the whole document by an empty URI",
            with(&Signing { reference_uri: Some(String::new()), ..Signing::default() }),
        ),
        (
            "another element",
            with(&Signing { reference_uri: Some("#_role".to_owned()), ..Signing::default() }),
        ),
        (
            "a file",
            with(&Signing { reference_uri: Some("file:///etc/hostname".to_owned()), ..Signing::default() }),
        ),
        (
            "inclusive canonicalization",
            with(&Signing { transforms: Some(inclusive.to_owned()), ..Signing::default() }),
        ),
        ("twice", right.replacen(&signature, &signature.repeat(2), 1)),
        (
            "elsewhere",
            right
                .replacen(&signature, "", 1)
                .replace("<md:KeyDescriptor", &format!("{signature}<md:KeyDescriptor")),
        ),
        (
            "wrapped",
            format!(
                "<md:EntitiesDescriptor xmlns:md=\"{MD}\" xmlns:ds=\"{DS}\" ID=\"_outer\">{signature}<md:Extensions>{}</md:Extensions></md:EntitiesDescriptor>",
                inner.replacen(&signature, "", 1)
            ),
        ),
    ] {
        assert_ne!(by(&forged), DocumentSignature::Trusted, "{what}");
        assert_ne!(forged, right, "{what}");
    }
}
