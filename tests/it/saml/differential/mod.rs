//! Right responses, bent in every way that is known to fool somebody: whatever Postern then accepts says what the IdP
//! signed, and two libraries that share no code with it, python3-saml and pysaml2, read the same person in it.
//!
//! `make test` tries some thousands, `make differential` as many as it is told (`MUTANTS`, `SEED`). A mutant is known by
//! its number and the seed; the keys are new in each run, so bytes of signatures differ.

mod harmless;
mod hostile;
mod tree;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern::demo::idp::response::{EMAIL_ADDRESS, PERSISTENT};
use postern::demo::idp::signer::idp_metadata;
use postern::demo::idp::{Encrypting, KeyType, Placement, ResponseSpec, Signing, SigningKey};
use postern::model::time::{Clock as _, SystemClock};
use postern::protocol::saml::own_key::{self, OwnKey};
use postern::protocol::saml::{
    Certificate, DecryptionKey, Expectations, NameIdFormat, SamlRefusal, VerifiedAssertion, verify,
};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::support::readers::{Readers, Reading};
use tree::Element;

const IDP: &str = "https://idp.example/metadata";
const SP: &str = "https://gate.example/saml/1";
const ACS: &str = "https://gate.example/saml/1/acs";
const REQUEST: &str = "_request0123456789";

/// How many mutants `make test` tries.
const FEW: u64 = 2_000;
/// One in so many of the refused goes to the other libraries too.
const SAMPLE: u64 = 200;

/// What is tried how often. Whatever is accepted costs the other libraries a tenth of a second.
const KINDS: [&str; 12] = [
    "harmless",
    "hostile",
    "hostile",
    "hostile",
    "hostile",
    "hostile",
    "hostile",
    "bytes",
    "bytes",
    "bytes",
    "bytes",
    "encrypted",
];

/// A right response, and what is in it.
struct Base {
    element: Element,
    reading: Reading,
}

/// Who signs for whom.
struct Stage {
    bases: Vec<[Base; 2]>,
    expected: Expectations,
    ours: OwnKey,
    keys: Vec<SigningKey>,
    now: OffsetDateTime,
}

impl Stage {
    fn new() -> Self {
        // The others have the machine's clock, and nobody is to be late.
        let now = SystemClock.now().to_datetime();
        let now = now.replace_nanosecond(0).expect("a whole second");
        let kinds = [KeyType::Rsa2048, KeyType::EcP256];
        let keys: Vec<SigningKey> =
            kinds.into_iter().map(|kind| SigningKey::generate(kind, "idp", now).expect("a key")).collect();
        let ours = own_key::generate(2048, "gate", now).expect("a key");
        let certificate =
            |key: &SigningKey| Certificate::from_der(&key.certificate_der().expect("DER")).expect("one");
        let expected = Expectations {
            idp_entity_id: IDP.to_owned(),
            sp_entity_id: SP.to_owned(),
            acs_url: ACS.to_owned(),
            certificates: keys.iter().map(certificate).collect(),
            request_id: Some(REQUEST.to_owned()),
            decryption_keys: Arc::from([
                DecryptionKey::from_pkcs8(&ours.private, &ours.certificate).expect("a key")
            ]),
            require_encryption: false,
            authn_contexts: Arc::default(),
            clock_skew: Expectations::USUAL_SKEW,
        };
        let mut stage = Self { bases: Vec::new(), expected, ours, keys, now };
        for placement in [Placement::Assertion, Placement::Response, Placement::Both] {
            for key in 0..stage.keys.len() {
                for prefixes in [vec!["xs".to_owned()], Vec::new()] {
                    let signing = Signing { prefixes, ..Signing::at(placement) };
                    let pair = [stage.base(&signing, key, false), stage.base(&signing, key, true)];
                    stage.bases.push(pair);
                }
            }
        }
        stage
    }

    fn base(&self, signing: &Signing, key: usize, other: bool) -> Base {
        let ids = if other { ("_response2", "_assertion2") } else { ("_response1", "_assertion1") };
        let mut spec = ResponseSpec::new(IDP, SP, ACS, REQUEST, ids, self.now);
        for until in [&mut spec.not_on_or_after, &mut spec.confirmation_not_on_or_after] {
            *until = Some(self.now + Duration::hours(12));
        }
        spec.name_id = Some(if other { "user-2" } else { "jo.doe@acme.test" }.to_owned());
        spec.name_id_format = Some(if other { PERSISTENT } else { EMAIL_ADDRESS }.to_owned());
        let email = if other { "al@acme.test" } else { "jo.doe@acme.test" };
        let attribute = |name: &str, values: &[&str]| {
            (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        };
        spec.attributes = vec![
            attribute("email", &[email]),
            attribute("urn:oid:2.5.4.42", &["Jo\u{eb}lle \"Jo\""]),
            attribute(
                "http://schemas.xmlsoap.org/claims/Group",
                &["staff", "R&D <core>", "it's > that", "  wide  "],
            ),
            attribute("empty", &[""]),
        ];
        let xml = signing.respond(&spec, &self.keys[key]).expect("signed");
        let element = Element::read(&xml);
        assert_eq!(element.write(), xml, "what is read is written");
        let accepted = self.accept(xml.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}: {xml}"));
        Base { element, reading: told(&accepted) }
    }

    /// What the assertion consumer service asks.
    fn accept(&self, xml: &[u8]) -> Result<VerifiedAssertion, SamlRefusal> {
        verify(BASE64_STANDARD.encode(xml).as_bytes(), &self.expected, self.now)
    }

    fn readers(&self) -> Readers {
        let pem = |der: &[u8], name: &str| {
            let lines: Vec<String> = BASE64_STANDARD
                .encode(der)
                .as_bytes()
                .chunks(64)
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect();
            format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n"))
        };
        let certificates: Vec<String> =
            self.keys.iter().map(|key| key.certificate_base64().expect("a certificate")).collect();
        Readers::start(&json!({
            "idp_entity_id": IDP,
            "sp_entity_id": SP,
            "acs_url": ACS,
            "sso_url": "https://idp.example/sso",
            "request_id": REQUEST,
            "certificates": certificates,
            "idp_metadata": idp_metadata(IDP, "https://idp.example/sso", &certificates),
            "sp_certificate": pem(self.ours.certificate.der(), "CERTIFICATE"),
            "sp_key": pem(&self.ours.private, "PRIVATE KEY"),
        }))
    }

    /// The mutant of this number: its kind, the two responses that it was made of, and the document.
    fn mutant(&self, seed: u64, number: u64) -> (&'static str, &[Base; 2], Vec<u8>) {
        let mut rng = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let pair = self.bases.choose(&mut rng).expect("some");
        let [base, donor] = pair;
        let mut root = base.element.clone();
        let kind = *KINDS.choose(&mut rng).expect("some");
        if kind != "bytes" {
            for _ in 0..rng.random_range(1..=4) {
                harmless::change(&mut rng, &mut root);
            }
        }
        if kind == "hostile" || (kind == "encrypted" && rng.random_bool(0.5)) {
            if rng.random_bool(0.6) {
                root = base.element.clone();
            }
            for _ in 0..rng.random_range(1..=2) {
                hostile::change(&mut rng, &mut root, &donor.element);
            }
        }
        let mut text = root.write();
        if rng.random_bool(0.1) {
            text.insert_str(
                0,
                [
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                    "\u{feff}",
                    "\n",
                    "<!DOCTYPE x [<!ENTITY x \"y\">]>",
                ]
                .choose(&mut rng)
                .expect("some"),
            );
            text.push_str(["", "\n", "<!---->", "<x/>"].choose(&mut rng).expect("some"));
        }
        match kind {
            "bytes" => (kind, pair, bytes(&mut rng, text.into_bytes(), &donor.element.write())),
            "encrypted" => (kind, pair, self.encrypted(&mut rng, &text).into_bytes()),
            _ => (kind, pair, text.into_bytes()),
        }
    }

    /// The first assertion of a document encrypted to us, bent as it is.
    fn encrypted(&self, rng: &mut StdRng, text: &str) -> String {
        let (start, end) = ("<saml:Assertion", "</saml:Assertion");
        let (Some(from), Some(last)) = (text.find(start), text.rfind(end)) else { return text.to_owned() };
        let Some(close) = text[last..].find('>').map(|at| last + at + 1) else { return text.to_owned() };
        if from >= last {
            return text.to_owned();
        }
        let content =
            ["http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2009/xmlenc11#aes128-gcm"];
        let how = Encrypting::content(content.choose(rng).expect("some"));
        let sealed =
            how.encrypt(&text.as_bytes()[from..close], self.ours.certificate.der()).expect("encrypted");
        format!("{}{sealed}{}", &text[..from], &text[close..])
    }
}

/// Changes bytes without a look at what they mean.
fn bytes(rng: &mut StdRng, mut text: Vec<u8>, donor: &str) -> Vec<u8> {
    for _ in 0..rng.random_range(1..=3) {
        let at = rng.random_range(0..text.len());
        let length = rng.random_range(1..40).min(text.len() - at);
        match rng.random_range(0..6) {
            0 => text[at] ^= 1 << rng.random_range(0..8),
            1 => drop(text.drain(at..at + length)),
            2 => {
                let copy = text[at..at + length].to_vec();
                text.splice(at..at, copy);
            }
            3 => {
                let from = rng.random_range(0..donor.len().saturating_sub(length).max(1));
                let piece = donor.as_bytes()[from..(from + length).min(donor.len())].to_vec();
                text.splice(at..at + length, piece);
            }
            4 => {
                let word =
                    ["<", ">", "\"", "&amp;", " ", "\n", "/", "<!--", "-->", "xmlns=\"\"", "\u{0}", "&lt;"];
                let word = word.choose(rng).expect("some").bytes();
                text.splice(at..at, word);
            }
            _ => text[at] = b" \t\n=AZaz09"[rng.random_range(0..10)],
        }
    }
    text
}

/// What we read, in the words that all have in common.
fn told(accepted: &VerifiedAssertion) -> Reading {
    let name_id = accepted.name_id();
    let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for attribute in accepted.attributes() {
        let values = attribute.values.iter().filter(|value| !value.is_empty());
        attributes.entry(attribute.name.clone()).or_default().extend(values.cloned());
    }
    attributes.retain(|_, values| !values.is_empty());
    let format = match &name_id.format {
        NameIdFormat::Persistent => PERSISTENT.to_owned(),
        NameIdFormat::EmailAddress => EMAIL_ADDRESS.to_owned(),
        other => other.label().to_owned(),
    };
    let session_index = accepted.session_index().map(str::to_owned);
    Reading { name_id: name_id.value.clone(), format, session_index, attributes }
}

/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    /// By kind: made and accepted.
    kinds: BTreeMap<&'static str, [u64; 2]>,
    refusals: BTreeMap<&'static str, u64>,
    /// By library: accepted of what we accept, and of the sample of what we refuse.
    others: BTreeMap<String, [u64; 2]>,
    sampled: u64,
    /// What others refuse of what we accept, by library and reason.
    stricter: BTreeMap<String, u64>,
    /// Anything that must not be.
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (kind, [made, accepted]) in other.kinds {
            let entry = self.kinds.entry(kind).or_default();
            *entry = [entry[0] + made, entry[1] + accepted];
        }
        for (code, count) in other.refusals {
            *self.refusals.entry(code).or_default() += count;
        }
        for (name, [of_ours, of_refused]) in other.others {
            let entry = self.others.entry(name).or_default();
            *entry = [entry[0] + of_ours, entry[1] + of_refused];
        }
        for (reason, count) in other.stricter {
            *self.stricter.entry(reason).or_default() += count;
        }
        self.sampled += other.sampled;
        self.wrong.extend(other.wrong);
    }

    fn accepted(&self, kind: &str) -> u64 {
        self.kinds.get(kind).map_or(0, |counts| counts[1])
    }
}

/// Tries mutants until the numbers are used up.
fn work(stage: &Stage, seed: u64, next: &AtomicU64, count: u64) -> Tally {
    let mut readers = stage.readers();
    let mut tally = Tally::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count || tally.wrong.len() >= 5 {
            return tally;
        }
        let (kind, pair, document) = stage.mutant(seed, number);
        let outcome = stage.accept(&document);
        let counts = tally.kinds.entry(kind).or_default();
        counts[0] += 1;
        match &outcome {
            Ok(_) => counts[1] += 1,
            Err(refusal) => {
                *tally.refusals.entry(refusal.code()).or_default() += 1;
                if !number.is_multiple_of(SAMPLE) {
                    continue;
                }
                tally.sampled += 1;
            }
        }
        let ours = outcome.as_ref().ok().map(told);
        let mut wrong = |what: &str| {
            let shown = String::from_utf8_lossy(&document);
            tally.wrong.push(format!("mutant {number} of seed {seed} ({kind}): {what}\n{shown}"));
        };
        if let Some(ours) = &ours
            && pair.iter().all(|base| *ours != base.reading)
        {
            wrong(&format!("the IdP never said {ours:?}"));
        }
        for (name, theirs) in readers.read(&BASE64_STANDARD.encode(&document)) {
            let entry = tally.others.entry(name.clone()).or_default();
            match (&ours, theirs) {
                (Some(ours), Ok(theirs)) => {
                    entry[0] += 1;
                    if *ours != theirs {
                        wrong(&format!("we read {ours:?}, {name} reads {theirs:?}"));
                    }
                }
                (Some(_), Err(reason)) => {
                    let reason: String = reason.chars().take(100).collect();
                    *tally.stricter.entry(format!("{name}: {reason}")).or_default() += 1;
                }
                (None, Ok(_)) => entry[1] += 1,
                (None, Err(_)) => {}
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "no setting of the gateway: `make differential` says how many")]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

#[test]
fn whatever_is_accepted_says_the_same_to_others() {
    let (count, seed) = (number("POSTERN_MUTANTS", FEW), number("POSTERN_SEED", 1));
    let stage = Stage::new();
    let next = AtomicU64::new(0);
    let started = std::time::Instant::now();
    let tally = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(|| work(&stage, seed, &next, count))).collect();
        let mut all = Tally::default();
        for worker in workers {
            all.add(worker.join().expect("it ends"));
        }
        all
    });
    println!("{count} mutants of seed {seed} in {:.1?}: {tally:#?}", started.elapsed());
    let mut wrong = String::new();
    for what in &tally.wrong {
        let _ = writeln!(wrong, "{what}\n");
    }
    assert!(tally.wrong.is_empty(), "{wrong}");
    // It can only bite where something is accepted, by everybody.
    assert!(tally.accepted("harmless") > count / 50, "{tally:#?}");
    for kind in ["hostile", "bytes", "encrypted"] {
        assert!(tally.accepted(kind) > 0, "{kind}: {tally:#?}");
    }
    let all: u64 = tally.kinds.values().map(|counts| counts[1]).sum();
    for (name, [accepted, _]) in &tally.others {
        assert!(accepted * 4 > all * 3, "{name} accepts {accepted} of {all}: {tally:#?}");
    }
}
