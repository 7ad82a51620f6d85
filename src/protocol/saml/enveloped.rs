//! Our own signature on a message that is posted: enveloped, RSA-SHA256, over exclusive canonicalization, made by our
//! canonicalization and OpenSSL (saml-core-2.0-os, section 5.4). A query has another kind, in [`super::redirect`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::sha::sha256;

use super::c14n;
use super::own_key::{RSA_SHA256, RequestKey};
use super::request::RequestError;
use super::scan::{Rules, scan};
use super::xml::{escape, ns};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const BEHIND: &str = "</saml:Issuer>";

/// Signs the root of a message that this engine wrote, whose ID this is: the signature stands right behind the issuer.
/// The key is not named: whoever reads it has our certificates from our metadata.
pub(super) fn sign(xml: &str, id: &str, key: &RequestKey) -> Result<String, RequestError> {
    let failed = || RequestError::Signing;
    let (before, behind) = xml.split_once(BEHIND).ok_or_else(failed)?;
    let doc = scan(xml, Rules::MESSAGE).map_err(|_| failed())?;
    let digest = STANDARD.encode(sha256(c14n::exclusive(&doc, doc.root(), None, &[]).as_bytes()));
    let c14n_uri = ns::EXC_C14N;
    let signed_info = format!(
        "<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{c14n_uri}\"/><ds:SignatureMethod \
         Algorithm=\"{RSA_SHA256}\"/><ds:Reference URI=\"#{}\"><ds:Transforms><ds:Transform Algorithm=\"{ENVELOPED}\"/>\
         <ds:Transform Algorithm=\"{c14n_uri}\"/></ds:Transforms><ds:DigestMethod Algorithm=\"{SHA256}\"/>\
         <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        escape(id)
    );
    let place = |value: &str| {
        format!(
            "{before}{BEHIND}<ds:Signature xmlns:ds=\"{}\">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             </ds:Signature>{behind}",
            ns::DSIG
        )
    };
    // What is signed is SignedInfo as it stands in its place.
    let placed = place("");
    let doc = scan(&placed, Rules::MESSAGE).map_err(|_| failed())?;
    let info = doc.all().find(|id| doc.is(*id, ns::DSIG, "SignedInfo")).ok_or_else(failed)?;
    let canonical = c14n::exclusive(&doc, info, None, &[]);
    let value = key.sign(canonical.as_bytes()).map_err(|_| failed())?;
    Ok(place(&STANDARD.encode(value)))
}
