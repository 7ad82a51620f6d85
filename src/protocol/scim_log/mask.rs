//! What of a SCIM call may be kept: bodies without passwords, secrets, tokens and photos, headers of a list of harmless
//! ones, paths without secrets in their query.
//!
//! A body is walked once, from its text to the masked text, and the walk ends when enough is written: what it costs does
//! not grow with the body. Whatever is kept of a body is JSON again, also where it was cut. A body that is not JSON is not
//! kept at all.

use super::quotes::Told;
use super::{clipped, holds};
use crate::protocol::percent::decoded;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// How much of a body is kept, in bytes; the last value may reach a little beyond it.
pub const KEPT: usize = 16 * 1024;
/// How much of one string is kept.
const LONGEST_TEXT: usize = 1024;
/// How much of a name is kept.
const LONGEST_NAME: usize = 200;
/// How much is kept of a path, of a header, and of all headers.
const LONGEST_PATH: usize = 2048;
const LONGEST_HEADER: usize = 256;
const MOST_HEADERS: usize = 4096;

/// What stands in the place of what is not kept.
pub const MASK: &str = "***";

/// What the `op` of a PATCH and the `method` of a bulk operation may say. Whatever else stands there may be anything: a
/// value that slipped out of its place, for one.
const VERBS: &[&str] = &[
    "add", "replace", "remove", "delete", "set", "update", "test", "move", "copy", "get", "post", "put",
    "patch",
];

/// What a name has in it if its value is nobody's business: secrets, and pictures of people.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "privatekey",
    "private_key",
    "authorization",
    "assertion",
    "cookie",
    "photo",
    "picture",
    "avatar",
    "thumbnail",
];

/// The headers whose values are kept.
const HARMLESS: &[&str] = &[
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "prefer",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-request-id",
];

/// Whether the value behind a name, or at the end of a PATCH path, is masked.
pub fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|word| holds(name, word))
}

/// Whether a value gives itself away: one of our secrets, a signed token, a bearer header, a picture in a URL.
fn gives_itself_away(value: &str) -> bool {
    value.contains("pstn_")
        || value.starts_with("eyJ") && value.split('.').count() == 3
        || ["bearer ", "basic ", "data:"].iter().any(|start| {
            value.len() > start.len()
                && value.as_bytes()[..start.len()].eq_ignore_ascii_case(start.as_bytes())
        })
}

/// Whether a filter compares something secret. What stands in quotes is a value and is not looked at, unless an escape
/// blurs where quotes end.
fn filters_secrets(filter: &str) -> bool {
    if filter.contains('\\') { is_secret(filter) } else { filter.split('"').step_by(2).any(is_secret) }
}

/// A path, or a sentence that quotes one, without what its brackets compare, if it is about something secret.
fn without_brackets(text: &str) -> std::borrow::Cow<'_, str> {
    match (text.find('['), text.rfind(']')) {
        (Some(from), to) if is_secret(text) => {
            let rest = to.filter(|to| *to > from).and_then(|to| text.get(to..)).unwrap_or("]");
            format!("{}[{MASK}{rest}", text.get(..from).unwrap_or_default()).into()
        }
        _ => text.into(),
    }
}

/// A masked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// JSON.
    pub text: String,
    /// Whether something at its end is missing.
    pub cut: bool,
}

impl Masked {
    /// The same as a value.
    pub fn value(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}

/// Masks a body; `whole` is whether these bytes are all of it. `None` if it is not JSON.
pub fn body(bytes: &[u8], whole: bool) -> Option<Masked> {
    masked(bytes, whole, KEPT, None)
}

/// The same of a body of which more is to be kept than the log keeps: so many bytes.
pub fn body_within(bytes: &[u8], whole: bool, most: usize) -> Option<Masked> {
    masked(bytes, whole, most, None)
}

/// Masks an answer; of the call, its refusals quote only what is told of it anyway.
pub fn answer(bytes: &[u8], whole: bool, told: &Told) -> Option<Masked> {
    masked(bytes, whole, KEPT, Some(told))
}

fn masked(bytes: &[u8], whole: bool, most: usize, told: Option<&Told>) -> Option<Masked> {
    // Some clients put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(bytes);
    let text = Vec::with_capacity(bytes.len().min(most) + 64);
    let mut out = Out { text, open: Vec::new(), cut: false, most, told };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match Node::new(&mut out, Means::Anything).deserialize(&mut json) {
        Ok(()) if whole => json.end().ok()?,
        Ok(()) => {}
        Err(_) if out.cut => {}
        Err(error) if !whole && error.is_eof() => out.cut = true,
        Err(_) => return None,
    }
    let cut = out.cut || !whole;
    // Only where the text was cut is anything left open.
    match out.text.last() {
        Some(b',') => drop(out.text.pop()),
        Some(b':') => out.text.extend_from_slice(b"null"),
        None => return None,
        _ => {}
    }
    out.text.extend(out.open.iter().rev());
    Some(Masked { text: String::from_utf8(out.text).ok()?, cut })
}

/// What is written.
struct Out<'t> {
    text: Vec<u8>,
    /// The brackets that are open, innermost last, by what closes them.
    open: Vec<u8>,
    cut: bool,
    /// How much is written.
    most: usize,
    told: Option<&'t Told>,
}

impl Out<'_> {
    fn string(&mut self, text: &str) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut self.text, text);
    }

    fn mask(&mut self) {
        self.string(MASK);
    }

    /// Ends the walk if enough is written.
    fn room<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.text.len() < self.most {
            return Ok(());
        }
        self.cut = true;
        Err(E::custom("enough is kept"))
    }

    fn begin(&mut self, opens: u8, closes: u8) {
        self.text.push(opens);
        self.open.push(closes);
    }

    fn end(&mut self) {
        self.text.extend(self.open.pop());
    }

    fn comma(&mut self) {
        if !matches!(self.text.last(), Some(b'{' | b'[')) {
            self.text.push(b',');
        }
    }
}

/// A value on its way from the text to the masked text.
struct Node<'o, 't> {
    out: &'o mut Out<'t>,
    mask: bool,
    /// What the value, or each of several, is read as.
    means: Means,
    /// Told whether the value is the path of something secret.
    judged: Option<&'o mut Option<bool>>,
}

/// What a text may hide secrets in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    Anything,
    Filter,
    /// A path of a PATCH or, in a bulk request, of a URL.
    Path,
    /// The sentence of a refusal, which may quote anything.
    Sentence,
    /// What an operation does.
    Verb,
}

impl Means {
    /// By the name in front.
    fn of(name: &str) -> Self {
        if name.eq_ignore_ascii_case("filter") {
            Self::Filter
        } else if name.eq_ignore_ascii_case("path") {
            Self::Path
        } else if name.eq_ignore_ascii_case("detail") {
            Self::Sentence
        } else if name.eq_ignore_ascii_case("op") || name.eq_ignore_ascii_case("method") {
            Self::Verb
        } else {
            Self::Anything
        }
    }
}

impl<'o, 't> Node<'o, 't> {
    fn new(out: &'o mut Out<'t>, means: Means) -> Self {
        Self { out, mask: false, means, judged: None }
    }

    fn number(self, value: &impl serde::Serialize) {
        if self.means == Means::Verb {
            self.out.mask();
        } else {
            // Writing to memory does not fail.
            let _ = serde_json::to_writer(&mut self.out.text, value);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.mask {
            IgnoredAny::deserialize_in(deserializer)?;
            self.out.mask();
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

/// Reads a value over without keeping it.
trait ReadOver {
    fn deserialize_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error>;
}

impl ReadOver for IgnoredAny {
    fn deserialize_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        <Self as serde::Deserialize>::deserialize(deserializer).map(drop)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.text.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out.text.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.number(&value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.number(&value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.number(&value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        if let Some(judged) = self.judged {
            *judged = Some(is_secret(value));
        }
        let hide = match self.means {
            Means::Filter => filters_secrets(value),
            Means::Verb => !VERBS.iter().any(|verb| value.eq_ignore_ascii_case(verb)),
            Means::Anything | Means::Path | Means::Sentence => false,
        };
        if hide || gives_itself_away(value) {
            self.out.mask();
        } else if self.means == Means::Sentence {
            let plain = without_brackets(value);
            let kept = self.out.told.map_or(Cow::Borrowed(&*plain), |told| told.only(&plain));
            self.out.string(&clipped(&kept, LONGEST_TEXT));
        } else if self.means == Means::Path {
            let plain = without_brackets(value);
            let plain = if plain.starts_with('/') { path(&plain).into() } else { plain };
            self.out.string(&clipped(&plain, LONGEST_TEXT));
        } else {
            self.out.string(&clipped(value, LONGEST_TEXT));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.out.begin(b'[', b']');
        while items.next_element_seed(Item(&mut *self.out, self.means))?.is_some() {}
        self.out.end();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        if self.means == Means::Verb {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            self.out.mask();
            return Ok(());
        }
        object(self.out, members)
    }
}

/// An element of an array, with what stands before it.
struct Item<'o, 't>(&'o mut Out<'t>, Means);

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.room()?;
        self.0.comma();
        Node::new(self.0, self.1).deserialize(deserializer)
    }
}

/// An object; the `value` of a PATCH operation is masked if its `path`, before or behind it, is that of something secret.
fn object<'de, A: MapAccess<'de>>(out: &mut Out<'_>, mut members: A) -> Result<(), A::Error> {
    out.begin(b'{', b'}');
    let depth = out.open.len();
    let mut secret_path = None;
    // Where values stand; the last one has no end if the walk ended within it.
    let mut values: Vec<(usize, Option<usize>)> = Vec::new();
    let walked = loop {
        let name = match members.next_key::<String>() {
            Ok(Some(name)) => name,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        if let Err(error) = out.room() {
            break Err(error);
        }
        out.comma();
        out.string(&clipped(&name, LONGEST_NAME));
        out.text.push(b':');
        let is_value = name.eq_ignore_ascii_case("value");
        let start = out.text.len();
        if is_value {
            values.push((start, None));
        }
        let is_path = name.eq_ignore_ascii_case("path");
        let mut judged = None;
        let node = Node {
            mask: is_secret(&name) || is_value && secret_path == Some(true),
            means: Means::of(&name),
            judged: is_path.then_some(&mut judged),
            out: &mut *out,
        };
        if let Err(error) = members.next_value_seed(node) {
            break Err(error);
        }
        if is_path {
            // What is no text may mean anything.
            secret_path = Some(secret_path == Some(true) || judged.unwrap_or(true));
        }
        if is_value && let Some(value) = values.last_mut() {
            value.1 = Some(out.text.len());
        }
    };
    // A path that was not read may be any.
    if secret_path.unwrap_or(walked.is_err()) {
        for (start, end) in values.into_iter().rev() {
            let masked = format!("\"{MASK}\"").into_bytes();
            if let Some(end) = end {
                out.text.splice(start..end, masked);
            } else {
                out.text.truncate(start);
                out.text.extend(masked);
                out.open.truncate(depth);
            }
        }
    }
    if walked.is_ok() {
        out.end();
    }
    walked
}

/// The headers, one a line, in their order: those of the list as they are, of the others the name alone.
pub fn headers<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> String {
    let mut text = String::with_capacity(384);
    for (name, value) in headers {
        if text.len() > MOST_HEADERS {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&clipped(name, LONGEST_NAME));
        text.push_str(": ");
        let value = std::str::from_utf8(value).unwrap_or(MASK);
        if HARMLESS.contains(&name) && !gives_itself_away(value) {
            text.push_str(&clipped(value, LONGEST_HEADER));
        } else {
            text.push_str(MASK);
        }
    }
    text
}

/// Whether a segment of a path is a secret, or a name and a secret.
fn is_secret_segment(segment: &str) -> bool {
    let decoded = decoded(segment);
    let named = decoded.split_once(['=', ':', ';']).is_some_and(|(name, _)| is_secret(name));
    named || gives_itself_away(&decoded) || gives_itself_away(segment)
}

/// A path with its query, without secrets.
pub fn path(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut masked = String::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            masked.push('/');
        }
        masked.push_str(if is_secret_segment(segment) { MASK } else { segment });
    }
    for (index, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        masked.push(if index == 0 { '?' } else { '&' });
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        let hide = decoded.is_some_and(|(name, value)| {
            is_secret(&name)
                || gives_itself_away(&name)
                || gives_itself_away(&value)
                || name.eq_ignore_ascii_case("filter") && filters_secrets(&value)
        });
        if !hide {
            masked.push_str(pair);
        } else if value.is_empty() {
            masked.push_str(MASK);
        } else {
            masked.extend([if gives_itself_away(name) { MASK } else { name }, "=", MASK]);
        }
    }
    clipped(&masked, LONGEST_PATH).into_owned()
}

#[cfg(test)]
mod property {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    /// JSON with a secret in some of the places where secrets stand, in any order of members.
    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z \"\\\\é\u{0}]{0,40}".prop_map(Value::from),
            Just(json!({ "password": "HIDDEN" })),
            Just(json!({ "x": 1, "PassWord": { "deep": ["HIDDEN"] } })),
            Just(json!({ "op": "replace", "path": "urn:x:User:password", "value": "HIDDEN" })),
            Just(
                json!({ "value": ["HIDDEN", { "x": "HIDDEN" }], "op": "add", "Path": "photos[type eq \"photo\"].value" })
            ),
            Just(json!({ "filter": "password eq \"HIDDEN\"" })),
            Just(json!({ "Filter": ["password eq HIDDEN"] })),
            Just(json!({ "op": "remove", "path": "photos[value eq \"HIDDEN\"]" })),
            Just(json!({ "path": "emails[password eq \"HIDDEN" })),
            Just(json!({ "method": "PUT", "path": "/Users/u1?token=HIDDEN" })),
            Just(json!({ "detail": "The path \"password[value eq \\\"]HIDDEN\"]\" names nothing." })),
            Just(json!({ "nickName": "pstn_scim_HIDDEN" })),
        ];
        leaf.prop_recursive(6, 400, 40, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
                prop::collection::vec(("[a-z]{1,12}", inner), 0..20)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_secret_is_kept_and_what_is_kept_is_json(value in tree(), end in any::<prop::sample::Index>()) {
            let text = value.to_string();
            let masked = body(text.as_bytes(), true).expect("JSON");
            prop_assert!(!masked.text.contains("HIDDEN"), "{}", masked.text);
            prop_assert!(serde_json::from_str::<Value>(&masked.text).is_ok(), "{}", masked.text);
            prop_assert!(masked.text.len() < KEPT + 2 * LONGEST_TEXT + 512);
            // The same of every beginning.
            let part = &text.as_bytes()[..end.index(text.len() + 1)];
            if let Some(masked) = body(part, false) {
                prop_assert!(!masked.text.contains("HIDDEN"), "{}", masked.text);
                prop_assert!(serde_json::from_str::<Value>(&masked.text).is_ok(), "{}", masked.text);
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), whole in any::<bool>()) {
            if let Some(masked) = body(&bytes, whole) {
                prop_assert!(serde_json::from_str::<Value>(&masked.text).is_ok(), "{}", masked.text);
            }
        }
    }
}
