//! Our metadata for one connection (saml-metadata-2.0-os), to hand to the IdP. It says only what is so: which keys we
//! sign with and decrypt with, how we want to be answered, and no address that does not exist.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificate::Certificate;
use super::encryption::{CONTENT_ALGORITHMS, KEY_TRANSPORTS};
use super::xml::{escape, ns};

const SAML2: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
/// The NameID formats that are named where the connection asks for none.
const USUAL_FORMATS: [&str; 2] = [
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
];

/// What our metadata says.
#[derive(Debug, Clone)]
pub struct SpMetadata<'a> {
    /// Our entity id for this connection.
    pub entity_id: &'a str,
    /// Our assertion consumer service URL.
    pub acs_url: &'a str,
    /// Our single logout URL, where the IdP takes part in that.
    pub slo_url: Option<&'a str>,
    /// What our signatures are verified by, the current one first.
    pub signing: Vec<Certificate>,
    /// What assertions may be encrypted to, the current one first.
    pub encryption: Vec<Certificate>,
    /// Whether requests are signed.
    pub sign_requests: bool,
    /// The URI of the one NameID format that is asked for.
    pub name_id_format: Option<&'a str>,
}

impl SpMetadata<'_> {
    /// The document.
    pub fn to_xml(&self) -> String {
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <md:EntityDescriptor xmlns:md=\"{}\" xmlns:ds=\"{}\" entityID=\"{}\">\n  \
             <md:SPSSODescriptor protocolSupportEnumeration=\"{SAML2}\" AuthnRequestsSigned=\"{}\" WantAssertionsSigned=\"true\">\n",
            ns::METADATA,
            ns::DSIG,
            escape(self.entity_id),
            self.sign_requests,
        );
        for certificate in &self.signing {
            key_descriptor(&mut out, "signing", certificate, &[]);
        }
        for certificate in &self.encryption {
            key_descriptor(&mut out, "encryption", certificate, &[&CONTENT_ALGORITHMS[..], &KEY_TRANSPORTS]);
        }
        for binding in [REDIRECT, POST] {
            if let Some(url) = self.slo_url {
                let url = escape(url);
                let _ =
                    writeln!(out, "    <md:SingleLogoutService Binding=\"{binding}\" Location=\"{url}\"/>");
            }
        }
        let formats = self.name_id_format.as_ref().map_or(&USUAL_FORMATS[..], std::slice::from_ref);
        for format in formats {
            let _ = writeln!(out, "    <md:NameIDFormat>{format}</md:NameIDFormat>");
        }
        let _ = write!(
            out,
            "    <md:AssertionConsumerService index=\"0\" isDefault=\"true\" Binding=\"{POST}\" Location=\"{}\"/>\n  \
             </md:SPSSODescriptor>\n</md:EntityDescriptor>\n",
            escape(self.acs_url),
        );
        out
    }
}

fn key_descriptor(out: &mut String, purpose: &str, certificate: &Certificate, methods: &[&[&str]]) {
    let _ = write!(
        out,
        "    <md:KeyDescriptor use=\"{purpose}\">\n      <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n",
        STANDARD.encode(certificate.der()),
    );
    for method in methods.iter().copied().flatten() {
        let _ = writeln!(out, "      <md:EncryptionMethod Algorithm=\"{method}\"/>");
    }
    out.push_str("    </md:KeyDescriptor>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::saml::scan::{Rules, scan};

    fn metadata() -> SpMetadata<'static> {
        SpMetadata {
            entity_id: "https://gate.example/saml/1?a=\"<&>",
            acs_url: "https://gate.example/saml/1/acs",
            slo_url: None,
            signing: Vec::new(),
            encryption: Vec::new(),
            sign_requests: false,
            name_id_format: None,
        }
    }

    #[test]
    fn says_what_is_so_and_escapes_it() {
        let text = metadata().to_xml();
        let doc = scan(&text, Rules::METADATA).unwrap();
        assert_eq!(
            doc.element(doc.root()).attribute("entityID"),
            Some("https://gate.example/saml/1?a=\"<&>")
        );
        let role = doc.child(doc.root(), ns::METADATA, "SPSSODescriptor").unwrap();
        assert_eq!(doc.element(role).attribute("AuthnRequestsSigned"), Some("false"));
        assert_eq!(doc.children_named(role, ns::METADATA, "NameIDFormat").count(), 2);
        assert!(doc.child(role, ns::METADATA, "KeyDescriptor").is_none());
        let acs = doc.child(role, ns::METADATA, "AssertionConsumerService").unwrap();
        assert_eq!(doc.element(acs).attribute("Location"), Some("https://gate.example/saml/1/acs"));
        assert!(!text.contains("SingleLogoutService"), "{text}");
        let slo = SpMetadata { slo_url: Some("https://gate.example/saml/1/slo"), ..metadata() }.to_xml();
        assert_eq!(slo.matches("Location=\"https://gate.example/saml/1/slo\"").count(), 2, "{slo}");
        let asks = SpMetadata { sign_requests: true, name_id_format: Some("urn:x"), ..metadata() }.to_xml();
        assert!(asks.contains("AuthnRequestsSigned=\"true\"") && asks.contains(">urn:x</md:NameIDFormat>"));
        assert_eq!(asks.matches("NameIDFormat>").count(), 2, "the one that is asked for: {asks}");
    }
}
