//! The sentences for the customer's IT admin: what was asked, what was expected and found, what to do next.
//! Quotes only values that carry our prefix; what else stands in the customer's zone is nobody's business.

use super::{Challenge, Mistake, Outcome};

/// One outcome in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, in one sentence.
    pub summary: String,
    /// The record that should stand.
    pub expected: String,
    /// What DNS answered.
    pub found: String,
    /// What to do next; empty only after a match.
    pub next: String,
}

impl Outcome {
    /// Puts this outcome of a check of `challenge` into words.
    pub fn explain(&self, challenge: &Challenge) -> Explanation {
        let record = challenge.record_name();
        let expected = format!("TXT {record} = {}", challenge.value);
        let (summary, found) = self.report(&record, challenge.domain.as_str());
        let next = self.advice(challenge, &record);
        Explanation { summary, expected, found, next }
    }

    fn report(&self, record: &str, domain: &str) -> (String, String) {
        let (summary, found) = match self {
            Self::Matched => {
                ("The TXT record stands with the expected value.".to_owned(), "the expected value".to_owned())
            }
            Self::Wildcard { neighbor } => (
                format!("The value comes from a wildcard record below {domain}, which proves nothing."),
                format!("the expected value at {record}, but also at {neighbor}, a name nobody created"),
            ),
            Self::NoSuchName { .. } => {
                (format!("The name {record} does not exist in DNS."), "no such name".to_owned())
            }
            Self::NoRecord { alias_of: None, .. } => {
                (format!("The name {record} exists but has no TXT record."), "no TXT record".to_owned())
            }
            Self::NoRecord { alias_of: Some(target), .. } => (
                format!("The name {record} is an alias (CNAME) of {target}, which has no TXT record."),
                format!("a CNAME to {target} without TXT record behind it"),
            ),
            Self::WrongValue { found, others, .. } => (
                format!("The name {record} has no TXT record with the expected value."),
                values(found, *others),
            ),
            Self::Unknown { failure } => (
                format!(
                    "DNS could not be asked for {record}: {failure}. This says nothing about the record."
                ),
                "no answer".to_owned(),
            ),
        };
        match self.mistake() {
            Some(Mistake::ZoneTwice { name, right_value }) => {
                let which = if *right_value { "the expected value" } else { "a value of ours" };
                (summary, format!("{found}; {which} stands at {name}"))
            }
            Some(Mistake::AtApex { right_value }) => {
                let which = if *right_value { "the expected value" } else { "a value of ours" };
                (summary, format!("{found}; {which} stands at {domain}"))
            }
            Some(Mistake::OldValue) | None => (summary, found),
        }
    }

    fn advice(&self, challenge: &Challenge, record: &str) -> String {
        let value = &challenge.value;
        let label = &challenge.label;
        let domain = &challenge.domain;
        let and_value = |right: bool| {
            if right {
                String::new()
            } else {
                format!(" Its value must be {value}; the one found is not this claim's.")
            }
        };
        match (self, self.mistake()) {
            (Self::Matched, _) => String::new(),
            (_, Some(Mistake::ZoneTwice { right_value, .. })) => format!(
                "The zone's name was appended a second time. In the name field of your DNS provider, enter the part before the zone only ({label} where the zone is {domain}), or end the full name with a dot.{}",
                and_value(*right_value)
            ),
            (_, Some(Mistake::AtApex { right_value })) => format!(
                "The record stands on {domain} itself. Create it under the name {record} (the name field then holds {label} where the zone is {domain}).{}",
                and_value(*right_value)
            ),
            (_, Some(Mistake::OldValue)) => format!(
                "Each claim and each renewal has a value of its own, and the one found belongs to another. Replace it by {value}, or add a second TXT record with that value, and verify again once the old answer's time to live is over."
            ),
            (Self::Wildcard { .. }, _) => format!(
                "Remove the wildcard record that gives this value and create a TXT record named exactly {record} with the value {value}."
            ),
            (Self::NoSuchName { .. }, _) => format!(
                "Create a TXT record named {record} with the value {value}. If it was created a moment ago, wait until your DNS provider has published it, then verify again."
            ),
            (Self::NoRecord { alias_of: Some(target), .. }, _) => format!(
                "Create the TXT record with the value {value} at {target}, or replace the CNAME at {record} by a TXT record with that value."
            ),
            (Self::NoRecord { .. }, _) => {
                format!(
                    "Create a record of type TXT at {record} with the value {value}; records of other types do not count."
                )
            }
            (Self::WrongValue { .. }, _) => {
                format!(
                    "Add a TXT record at {record} with exactly the value {value}. Other TXT records may stay."
                )
            }
            (Self::Unknown { .. }, _) => format!(
                "Verify again in a few minutes. If it stays so, check that the name servers of {domain} answer from the internet."
            ),
        }
    }
}

fn values(found: &[String], others: usize) -> String {
    const SHOWN: usize = 3;
    let mut parts: Vec<String> = found.iter().take(SHOWN).cloned().collect();
    if found.len() > SHOWN {
        parts.push(format!("{} more with our prefix", found.len() - SHOWN));
    }
    match others {
        0 => {}
        1 => parts.push("1 TXT record that is not ours".to_owned()),
        n => parts.push(format!("{n} TXT records that are not ours")),
    }
    parts.join(", ")
}
