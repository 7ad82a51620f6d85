//! The DNS proof of a domain: where the TXT record stands, what it holds, how answers are judged.
//!
//! Nothing here asks DNS. A [`Check`] says which name to ask next, is told the [`TxtAnswer`], and ends in an
//! [`Outcome`]. One question is enough in most cases; the names of likely mistakes are asked only after a
//! miss, and a match is confirmed by a neighbour name that must not give the same value, because a wildcard
//! record proves nothing. An answer that did not come is [`Outcome::Unknown`], never a miss.

mod explain;
#[cfg(test)]
mod tests;

pub use explain::Explanation;

use std::{collections::VecDeque, fmt, str::FromStr};

use crate::model::{
    dns_answer::{LookupFailure, TxtAnswer},
    dns_name::DomainName,
};

/// What every challenge value begins with. Only values that begin so are ever quoted back.
pub const VALUE_PREFIX: &str = "postern-verification=";

/// The label used where the installation sets none.
pub const DEFAULT_LABEL: &str = "_postern-challenge";

const MAX_DNS_NAME: usize = 253;

/// The first label of the record's name, the installation's to choose (`dns.challenge_label`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeLabel(String);

/// Why a text cannot be the label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" cannot be the challenge label: expected one DNS label of 2 to 63 letters, digits and hyphens that starts with an underscore, such as {DEFAULT_LABEL}."
)]
pub struct ChallengeLabelError(String);

impl ChallengeLabel {
    /// One label that starts with an underscore, so that it can never be the name of a host (RFC 8552).
    pub fn parse(text: &str) -> Result<Self, ChallengeLabelError> {
        let label = text.trim().to_ascii_lowercase();
        let sound = |rest: &str| {
            !rest.is_empty()
                && rest.len() < 63
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !rest.ends_with('-')
        };
        match label.strip_prefix('_') {
            Some(rest) if sound(rest) => Ok(Self(label)),
            _ => Err(ChallengeLabelError(text.chars().filter(|c| !c.is_control()).take(100).collect())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full name of the TXT record for a domain, without a trailing dot.
    pub fn record_name(&self, domain: &DomainName) -> String {
        format!("{}.{domain}", self.0)
    }
}

impl Default for ChallengeLabel {
    fn default() -> Self {
        Self(DEFAULT_LABEL.to_owned())
    }
}

impl fmt::Display for ChallengeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChallengeLabel {
    type Err = ChallengeLabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The value a new claim or a renewal asks for, made of 160 random bits given by the caller.
pub fn challenge_value(random: &[u8; 20]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut value = String::from(VALUE_PREFIX);
    let (mut bits, mut held) = (0u32, 0);
    for byte in random {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            value.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
        }
    }
    value
}

/// What one claim expects of DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub label: ChallengeLabel,
    pub domain: DomainName,
    /// The whole expected value, as `challenge_value` made it.
    pub value: String,
}

impl Challenge {
    pub fn record_name(&self) -> String {
        self.label.record_name(&self.domain)
    }
}

/// A likely mistake that explains a miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// The zone was appended a second time by the DNS provider's form.
    ZoneTwice { name: String, right_value: bool },
    /// The record stands on the domain itself instead of under the label.
    AtApex { right_value: bool },
    /// A value of ours stands in the right place, but not this claim's.
    OldValue,
}

impl Mistake {
    /// The stable code of this mistake for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ZoneTwice { .. } => "zone_appended_twice",
            Self::AtApex { .. } => "record_at_apex",
            Self::OldValue => "old_value",
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The record stands with the expected value.
    Matched,
    /// The expected value came, but `neighbor` gives it too: a wildcard record, which proves nothing.
    Wildcard { neighbor: String },
    /// The record's name does not exist.
    NoSuchName { mistake: Option<Mistake> },
    /// The name exists, without TXT record; `alias_of` is the target of a CNAME that leads nowhere.
    NoRecord { alias_of: Option<String>, mistake: Option<Mistake> },
    /// TXT records stand, none with the expected value. `found` quotes those that carry our prefix, `others`
    /// counts the rest.
    WrongValue { found: Vec<String>, others: usize, mistake: Option<Mistake> },
    /// DNS could not be asked. Says nothing about the record.
    Unknown { failure: LookupFailure },
}

impl Outcome {
    /// The stable code of this outcome for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Wildcard { .. } => "wildcard_record",
            Self::NoSuchName { .. } => "no_such_name",
            Self::NoRecord { .. } => "no_record",
            Self::WrongValue { .. } => "wrong_value",
            Self::Unknown { .. } => "dns_unknown",
        }
    }

    pub fn is_match(&self) -> bool {
        matches!(self, Self::Matched)
    }

    /// Whether DNS definitely said that the proof is not there; only such answers count towards a lapse.
    pub fn is_definite_miss(&self) -> bool {
        !matches!(self, Self::Matched | Self::Unknown { .. })
    }

    /// The likely mistake behind a miss, if one was seen.
    pub fn mistake(&self) -> Option<&Mistake> {
        match self {
            Self::NoSuchName { mistake }
            | Self::NoRecord { mistake, .. }
            | Self::WrongValue { mistake, .. } => mistake.as_ref(),
            _ => None,
        }
    }

    fn set_mistake(&mut self, seen: Mistake) {
        match self {
            Self::NoSuchName { mistake }
            | Self::NoRecord { mistake, .. }
            | Self::WrongValue { mistake, .. } => *mistake = Some(seen),
            _ => {}
        }
    }
}

#[derive(Debug)]
enum Question {
    Record,
    Neighbor(String),
    ZoneTwice(String),
    Apex,
}

/// One run of questions and answers about a challenge.
///
/// ```
/// # use postern::{model::{dns_answer::TxtAnswer, dns_name::DomainName}, protocol::dns_challenge::*};
/// let value = challenge_value(&[7; 20]);
/// let domain = DomainName::parse("acme.com").unwrap();
/// let mut check = Check::new(Challenge { label: ChallengeLabel::default(), domain, value }, 4711);
/// while let Some(name) = check.next_name() {
///     check.answer(TxtAnswer::NoName); // ask DNS for the TXT records of `name`
/// }
/// assert_eq!(check.outcome().code(), "no_such_name");
/// ```
#[derive(Debug)]
pub struct Check {
    challenge: Challenge,
    neighbor: String,
    questions: VecDeque<Question>,
    outcome: Option<Outcome>,
}

impl Check {
    /// `nonce` is random and new for each check, so that no cache and no zone holds the neighbour's name.
    pub fn new(challenge: Challenge, nonce: u64) -> Self {
        let neighbor = format!("_{nonce:016x}.{}", challenge.domain);
        Self { challenge, neighbor, questions: VecDeque::from([Question::Record]), outcome: None }
    }

    /// The name whose TXT records are to be asked next, without trailing dot; `None` when the check is done.
    pub fn next_name(&self) -> Option<String> {
        self.questions.front().map(|question| match question {
            Question::Record => self.challenge.record_name(),
            Question::Neighbor(name) | Question::ZoneTwice(name) => name.clone(),
            Question::Apex => self.challenge.domain.to_string(),
        })
    }

    /// Takes the answer for the name that `next_name` gave.
    pub fn answer(&mut self, answer: TxtAnswer) {
        match self.questions.pop_front() {
            None => {}
            Some(Question::Record) => self.judge_record(answer),
            Some(Question::Neighbor(neighbor)) => match answer {
                TxtAnswer::Failed(failure) => self.outcome = Some(Outcome::Unknown { failure }),
                TxtAnswer::Found(values) if self.holds(&values) => {
                    self.outcome = Some(Outcome::Wildcard { neighbor });
                }
                _ => {}
            },
            Some(Question::ZoneTwice(name)) => {
                self.note(&answer, |right_value| Mistake::ZoneTwice { name, right_value });
            }
            Some(Question::Apex) => self.note(&answer, |right_value| Mistake::AtApex { right_value }),
        }
    }

    /// What the answers so far come to. Before the first answer nothing is known, which reads as a time-out.
    pub fn outcome(&self) -> Outcome {
        // A match counts only once the neighbour was heard.
        match &self.outcome {
            Some(outcome) if self.questions.is_empty() || !outcome.is_match() => outcome.clone(),
            _ => Outcome::Unknown { failure: LookupFailure::Timeout },
        }
    }

    /// The challenge this check is about.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    fn judge_record(&mut self, answer: TxtAnswer) {
        let outcome = match answer {
            TxtAnswer::Failed(failure) => Outcome::Unknown { failure },
            TxtAnswer::NoName => Outcome::NoSuchName { mistake: None },
            TxtAnswer::NoRecords => Outcome::NoRecord { alias_of: None, mistake: None },
            TxtAnswer::EmptyAlias { target } => Outcome::NoRecord { alias_of: Some(target), mistake: None },
            TxtAnswer::Found(values) if self.holds(&values) => Outcome::Matched,
            TxtAnswer::Found(values) => {
                let found: Vec<String> = values.iter().filter(|v| is_ours(v)).map(|v| quoted(v)).collect();
                let others = values.len() - found.len();
                let mistake = (!found.is_empty()).then_some(Mistake::OldValue);
                Outcome::WrongValue { found, others, mistake }
            }
        };
        if outcome.is_match() {
            self.questions.push_back(Question::Neighbor(self.neighbor.clone()));
        } else if outcome.is_definite_miss() && outcome.mistake().is_none() {
            let record = self.challenge.record_name();
            let domain = self.challenge.domain.as_str();
            let zones = [Some(domain), self.challenge.domain.registrable().filter(|zone| *zone != domain)];
            for zone in zones.into_iter().flatten() {
                let name = format!("{record}.{zone}");
                if name.len() <= MAX_DNS_NAME {
                    self.questions.push_back(Question::ZoneTwice(name));
                }
            }
            self.questions.push_back(Question::Apex);
        }
        self.outcome = Some(outcome);
    }

    /// Notes a mistake where a value of ours was found in a wrong place, and stops asking once the very value
    /// was. A wrong place that cannot be asked changes nothing: the miss itself is certain.
    fn note(&mut self, answer: &TxtAnswer, mistake: impl FnOnce(bool) -> Mistake) {
        let TxtAnswer::Found(values) = answer else { return };
        if !values.iter().any(|value| is_ours(value)) {
            return;
        }
        let right_value = self.holds(values);
        if let Some(outcome) = &mut self.outcome
            && (right_value || outcome.mistake().is_none())
        {
            outcome.set_mistake(mistake(right_value));
        }
        if right_value {
            self.questions.clear();
        }
    }

    fn holds(&self, values: &[String]) -> bool {
        values.iter().any(|value| bare(value) == self.challenge.value)
    }
}

/// A value without what DNS providers' forms are known to add around it: blanks and one pair of quotes.
fn bare(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value).trim()
}

fn is_ours(value: &str) -> bool {
    bare(value).get(..VALUE_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(VALUE_PREFIX))
}

/// A found value as it is shown to people: short and printable.
fn quoted(value: &str) -> String {
    let mut text: String =
        bare(value).chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(100).collect();
    if bare(value).chars().nth(100).is_some() {
        text.push('…');
    }
    text
}
