//! The HTTP-Redirect binding (saml-bindings-2.0-os, section 3.4): messages in the query of an address, written and read.
//!
//! A signature covers the very octets of the query, in one fixed order of its parameters. So what is read keeps each
//! value as it was sent and decodes it only beside that, a parameter that stands twice is refused, and so is one whose
//! name is written in another way than the binding writes it: nobody else can read another message out of the same query.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use thiserror::Error;
use url::Url;

use super::own_key::{RSA_SHA256, RequestKey};
use super::request::RequestError;

/// A RelayState may not be longer (section 3.4.3).
pub const LONGEST_RELAY_STATE: usize = 80;
/// The longest query that is read, in bytes.
pub const LONGEST_QUERY: usize = 32 * 1024;
/// The largest message, inflated, in bytes.
pub const LARGEST_MESSAGE: usize = 64 * 1024;
/// The only encoding there is (section 3.4.4.1).
const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";
const NAMES: [&str; 6] = ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];

/// Why a query carries no message that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// Too much.
    #[error("the query is longer than {LONGEST_QUERY} bytes")]
    TooLong,
    /// Nothing, or two.
    #[error("the query must have exactly one of SAMLRequest and SAMLResponse")]
    Messages,
    /// The same parameter twice.
    #[error("the parameter {0} stands twice")]
    Twice(&'static str),
    /// A parameter whose name is percent-encoded.
    #[error("the name of the parameter {0} is written in another way than the binding writes it")]
    Disguised(&'static str),
    /// A value that is no text.
    #[error("the value of {0} cannot be decoded")]
    Value(&'static str),
    /// Another encoding.
    #[error("the message is not encoded by DEFLATE, the one encoding there is")]
    Encoding,
    /// Not base64.
    #[error("the message is not base64")]
    NotBase64,
    /// Not deflated.
    #[error("the message cannot be inflated")]
    NotDeflated,
    /// Too large when it is inflated.
    #[error("the message is larger than {LARGEST_MESSAGE} bytes when it is inflated")]
    TooLarge,
    /// Not UTF-8.
    #[error("the message is not UTF-8 text")]
    NotUtf8,
    /// A RelayState that is too long to be sent back.
    #[error("the RelayState has more than {LONGEST_RELAY_STATE} bytes")]
    RelayState,
    /// Half a signature.
    #[error("SigAlg and Signature go together")]
    HalfSigned,
}

/// Which of the two kinds of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// `SAMLRequest`.
    Request,
    /// `SAMLResponse`.
    Response,
}

impl MessageKind {
    /// The name of the parameter or field that carries it.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// The signature of a query, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySignature {
    /// The octets that it covers, as they were sent.
    pub signed: String,
    /// The algorithm's URI.
    pub algorithm: String,
    /// The signature itself.
    pub value: Vec<u8>,
}

/// A message of a query. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryMessage {
    /// Which kind.
    pub kind: MessageKind,
    /// The message, inflated.
    pub xml: String,
    /// The state to send back.
    pub relay_state: Option<String>,
    /// Its signature, if it has one.
    pub signature: Option<QuerySignature>,
}

/// Reads the message of a query, as it stood in the request line.
///
/// # Errors
/// [`QueryError`].
pub fn read(query: &str) -> Result<QueryMessage, QueryError> {
    if query.len() > LONGEST_QUERY {
        return Err(QueryError::TooLong);
    }
    let mut raw: [Option<&str>; NAMES.len()] = [None; NAMES.len()];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = decoded(name).unwrap_or_default();
        let Some(at) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(&plain)) else { continue };
        if name != NAMES[at] {
            return Err(QueryError::Disguised(NAMES[at]));
        }
        if raw[at].replace(value).is_some() {
            return Err(QueryError::Twice(NAMES[at]));
        }
    }
    let text = |at: usize| -> Result<Option<String>, QueryError> {
        raw[at].map(|value| decoded(value).ok_or(QueryError::Value(NAMES[at]))).transpose()
    };
    let [request, response, relay_state, algorithm, signature, _] = raw;
    let (kind, message) = match (request, response) {
        (Some(message), None) => (MessageKind::Request, message),
        (None, Some(message)) => (MessageKind::Response, message),
        _ => return Err(QueryError::Messages),
    };
    if text(5)?.is_some_and(|encoding| encoding != DEFLATE) {
        return Err(QueryError::Encoding);
    }
    let state = text(2)?;
    if state.as_ref().is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
        return Err(QueryError::RelayState);
    }
    let signature = match (algorithm, signature) {
        (None, None) => None,
        (Some(raw_algorithm), Some(_)) => {
            // In this order, whatever the order of the query was (section 3.4.4.1).
            let mut signed = format!("{}={message}", kind.parameter());
            if let Some(state) = relay_state {
                signed.push_str("&RelayState=");
                signed.push_str(state);
            }
            signed.push_str("&SigAlg=");
            signed.push_str(raw_algorithm);
            let value = text(4)?.unwrap_or_default();
            let value = STANDARD.decode(without_space(&value)).map_err(|_| QueryError::Value("Signature"))?;
            Some(QuerySignature { signed, algorithm: text(3)?.unwrap_or_default(), value })
        }
        _ => return Err(QueryError::HalfSigned),
    };
    let message = decoded(message).ok_or(QueryError::Value(kind.parameter()))?;
    let packed = STANDARD.decode(without_space(&message)).map_err(|_| QueryError::NotBase64)?;
    Ok(QueryMessage { kind, xml: inflate(&packed)?, relay_state: state, signature })
}

/// Some write the base64 in lines.
fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_whitespace()).collect()
}

/// A name or value as a query has it: `+` is a blank, `%` begins an octet.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Inflates no more than [`LARGEST_MESSAGE`].
fn inflate(packed: &[u8]) -> Result<String, QueryError> {
    let most = u64::try_from(LARGEST_MESSAGE).unwrap_or(u64::MAX) + 1;
    let mut out = Vec::new();
    DeflateDecoder::new(packed).take(most).read_to_end(&mut out).map_err(|_| QueryError::NotDeflated)?;
    if out.len() > LARGEST_MESSAGE {
        return Err(QueryError::TooLarge);
    }
    String::from_utf8(out).map_err(|_| QueryError::NotUtf8)
}

/// The address that carries a message to a peer, signed where there is a key. The peer's address may have a query already.
///
/// # Errors
/// [`RequestError`].
pub fn address(
    to: &str,
    kind: MessageKind,
    xml: &str,
    relay_state: Option<&str>,
    key: Option<&RequestKey>,
) -> Result<Url, RequestError> {
    let bad = || RequestError::BadUrl(to.chars().take(200).collect());
    let mut url = Url::parse(to).map_err(|_| bad())?;
    if relay_state.is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
        return Err(RequestError::RelayState);
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(xml.as_bytes()).and_then(|()| encoder.finish());
    let message = STANDARD.encode(packed.map_err(|_| bad())?);
    url.set_fragment(None);
    // What is signed are these parameters as they are encoded here, in this order, without any query that the address
    // had before (section 3.4.4.1).
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair(kind.parameter(), &message);
    if let Some(state) = relay_state {
        query.append_pair("RelayState", state);
    }
    let mut query = if let Some(key) = key {
        query.append_pair("SigAlg", RSA_SHA256);
        let signed = query.finish();
        let signature = key.sign(signed.as_bytes()).map_err(|_| RequestError::Signing)?;
        let mut query = url::form_urlencoded::Serializer::for_suffix(signed, 0);
        query.append_pair("Signature", &STANDARD.encode(signature));
        query.finish()
    } else {
        query.finish()
    };
    if let Some(before) = url.query().filter(|before| !before.is_empty()) {
        query = format!("{before}&{query}");
    }
    url.set_query(Some(&query));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(state: Option<&str>) -> String {
        let url =
            address("https://a.example/x?t=1", MessageKind::Request, "<a b='ü'/>", state, None).unwrap();
        url.query().unwrap().trim_start_matches("t=1&").to_owned()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let read = read(&written(Some("a b&c"))).unwrap();
        assert_eq!((read.kind, &*read.xml), (MessageKind::Request, "<a b='ü'/>"));
        assert_eq!((read.relay_state.as_deref(), read.signature), (Some("a b&c"), None));
    }

    #[test]
    fn the_octets_that_are_signed_stay_as_they_were_sent() {
        // Lower-case escapes and another order, as some IdPs send them.
        let message = written(None).replace("SAMLRequest=", "").replace("%3D", "%3d");
        let query =
            format!("Signature=AAAA&SigAlg=http%3a%2f%2fx&RelayState=a%20b&SAMLRequest={message}&other=1");
        let signature = read(&query).unwrap().signature.unwrap();
        assert_eq!(signature.signed, format!("SAMLRequest={message}&RelayState=a%20b&SigAlg=http%3a%2f%2fx"));
        assert_eq!(signature.algorithm, "http://x");
        // A state that is empty was sent nevertheless.
        let query = format!("SAMLRequest={message}&RelayState=&SigAlg=x&Signature=AAAA");
        assert!(read(&query).unwrap().signature.unwrap().signed.contains("&RelayState=&SigAlg"));
    }

    #[test]
    fn refuses_whatever_two_readers_might_read_differently() {
        let message = written(None);
        let refused = |more: &str| read(&format!("{message}{more}")).unwrap_err();
        assert_eq!(refused("&RelayState=a&RelayState=b"), QueryError::Twice("RelayState"));
        assert_eq!(refused(&format!("&{message}")), QueryError::Twice("SAMLRequest"));
        assert_eq!(refused("&SAMLResponse=x"), QueryError::Messages);
        assert_eq!(refused("&SAML%52equest=x"), QueryError::Disguised("SAMLRequest"));
        assert_eq!(refused("&samlrequest=x"), QueryError::Disguised("SAMLRequest"));
        assert_eq!(refused("&SigAlg=x"), QueryError::HalfSigned);
        assert_eq!(refused("&Signature=AAAA"), QueryError::HalfSigned);
        assert_eq!(refused("&SAMLEncoding=urn:other"), QueryError::Encoding);
        assert_eq!(refused("&RelayState=%ff"), QueryError::Value("RelayState"));
        assert_eq!(refused(&format!("&RelayState={}", "x".repeat(81))), QueryError::RelayState);
        assert_eq!(refused(&format!("&x={}", "x".repeat(LONGEST_QUERY))), QueryError::TooLong);
        assert_eq!(read(""), Err(QueryError::Messages));
        assert_eq!(read("SAMLRequest=%%%"), Err(QueryError::Value("SAMLRequest")));
        assert_eq!(read("SAMLRequest=!!!!"), Err(QueryError::NotBase64));
        assert_eq!(read("SAMLRequest=AAAA"), Err(QueryError::NotDeflated));
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let bomb = "a".repeat(20 * 1024 * 1024);
        let url = address("https://a.example/", MessageKind::Request, &bomb, None, None).unwrap();
        assert!(url.query().unwrap().len() < LONGEST_QUERY, "{}", url.query().unwrap().len());
        assert_eq!(read(url.query().unwrap()), Err(QueryError::TooLarge));
    }
}
