//! What DNS answers and what the challenge makes of it, case by case.

use super::*;

const OLD: &str = "postern-verification=oldoldoldoldoldoldoldoldoldoldol";

fn challenge(domain: &str) -> Challenge {
    let domain = DomainName::parse(domain).expect("valid");
    Challenge { label: ChallengeLabel::default(), domain, value: challenge_value(&[0x5a; 20]) }
}

/// Runs a check against a table of answers; names that are not in it do not exist. Returns the names asked.
fn run(challenge: &Challenge, zone: &[(&str, TxtAnswer)]) -> (Outcome, Vec<String>) {
    let mut check = Check::new(challenge.clone(), 1);
    let mut asked = Vec::new();
    while let Some(name) = check.next_name() {
        let answer = zone.iter().find(|(n, _)| *n == name).map_or(TxtAnswer::NoName, |(_, a)| a.clone());
        check.answer(answer);
        asked.push(name);
    }
    (check.outcome(), asked)
}

fn found(values: &[&str]) -> TxtAnswer {
    TxtAnswer::Found(values.iter().map(|v| (*v).to_owned()).collect())
}

#[test]
fn values_are_recognizable_and_follow_every_bit() {
    let value = challenge_value(&[0; 20]);
    assert_eq!(value, format!("{VALUE_PREFIX}{}", "a".repeat(32)));
    assert_eq!(challenge_value(&[0xff; 20]), format!("{VALUE_PREFIX}{}", "7".repeat(32)));
    let mut seen = std::collections::HashSet::from([value]);
    for bit in 0..160 {
        let mut random = [0; 20];
        random[bit / 8] = 1 << (bit % 8);
        assert!(seen.insert(challenge_value(&random)), "bit {bit} does not count");
    }
}

#[test]
fn labels_are_single_and_underscored() {
    assert_eq!(ChallengeLabel::parse(" _Acme-Verify ").expect("valid").as_str(), "_acme-verify");
    for bad in ["", "_", "acme", "_a.b", "_a-", "_ä", "_a b", &format!("_{}", "a".repeat(63))] {
        assert!(ChallengeLabel::parse(bad).is_err(), "{bad}");
    }
    let domain = DomainName::parse("acme.com").expect("valid");
    assert_eq!(ChallengeLabel::default().record_name(&domain), "_postern-challenge.acme.com");
}

#[test]
fn a_match_is_confirmed_by_a_neighbour() {
    let claim = challenge("acme.com");
    let record = "_postern-challenge.acme.com";
    for held in [claim.value.clone(), format!("  {} ", claim.value), format!("\"{}\"", claim.value)] {
        let (outcome, asked) = run(&claim, &[(record, found(&["v=spf1 -all", OLD, &held]))]);
        assert_eq!(outcome, Outcome::Matched, "{held}");
        assert_eq!(asked, [record, "_0000000000000001.acme.com"]);
    }
    let same = found(&[&claim.value]);
    let (outcome, _) = run(&claim, &[(record, same.clone()), ("_0000000000000001.acme.com", same.clone())]);
    assert_eq!(outcome.code(), "wildcard_record");
    assert!(outcome.is_definite_miss());
    // Not knowing whether it is a wildcard is not a proof.
    let timeout = TxtAnswer::Failed(LookupFailure::Timeout);
    let (outcome, _) = run(&claim, &[(record, same), ("_0000000000000001.acme.com", timeout)]);
    assert_eq!(outcome.code(), "dns_unknown");
}

#[test]
fn nothing_is_known_before_the_end() {
    let claim = challenge("acme.com");
    let mut check = Check::new(claim.clone(), 1);
    assert_eq!(check.outcome().code(), "dns_unknown");
    check.answer(found(&[&claim.value]));
    assert_eq!(check.outcome().code(), "dns_unknown");
}

#[test]
fn values_near_the_expected_one_do_not_match() {
    let claim = challenge("acme.com");
    for near in [
        claim.value.to_uppercase(),
        format!("{}x", claim.value),
        claim.value[..claim.value.len() - 1].to_owned(),
        claim.value.replacen('=', " =", 1),
        format!("x{}", claim.value),
        String::new(),
    ] {
        let (outcome, _) = run(&claim, &[("_postern-challenge.acme.com", found(&[&near]))]);
        assert_eq!(outcome.code(), "wrong_value", "{near}");
    }
}

#[test]
fn likely_mistakes_are_named() {
    let claim = challenge("eu.acme.com");
    let value = claim.value.as_str();
    let cases: [(&str, &str, Mistake); 5] = [
        (
            "_postern-challenge.eu.acme.com.eu.acme.com",
            value,
            Mistake::ZoneTwice {
                name: "_postern-challenge.eu.acme.com.eu.acme.com".into(),
                right_value: true,
            },
        ),
        (
            "_postern-challenge.eu.acme.com.acme.com",
            value,
            Mistake::ZoneTwice { name: "_postern-challenge.eu.acme.com.acme.com".into(), right_value: true },
        ),
        ("eu.acme.com", value, Mistake::AtApex { right_value: true }),
        ("eu.acme.com", OLD, Mistake::AtApex { right_value: false }),
        ("_postern-challenge.eu.acme.com", OLD, Mistake::OldValue),
    ];
    for (name, value, mistake) in cases {
        let (outcome, _) = run(&claim, &[(name, found(&["v=spf1 -all", value]))]);
        assert_eq!(outcome.mistake(), Some(&mistake), "{name}");
        let words = outcome.explain(&claim);
        assert!(words.next.contains(&claim.value) || words.next.contains("_postern-challenge"), "{words:?}");
    }
    // The very value in the second wrong place says more than an old one in the first.
    let (outcome, _) = run(
        &claim,
        &[("_postern-challenge.eu.acme.com.eu.acme.com", found(&[OLD])), ("eu.acme.com", found(&[value]))],
    );
    assert_eq!(outcome.mistake(), Some(&Mistake::AtApex { right_value: true }));
}

#[test]
fn probes_come_only_after_a_miss_and_their_failure_changes_nothing() {
    let claim = challenge("acme.com");
    let failed = TxtAnswer::Failed(LookupFailure::Timeout);
    let (outcome, asked) = run(&claim, &[("_postern-challenge.acme.com", failed.clone())]);
    assert_eq!((outcome.code(), asked.len()), ("dns_unknown", 1));
    assert!(!outcome.is_definite_miss());
    let (outcome, asked) =
        run(&claim, &[("_postern-challenge.acme.com.acme.com", failed.clone()), ("acme.com", failed)]);
    assert_eq!(outcome, Outcome::NoSuchName { mistake: None });
    assert_eq!(asked, ["_postern-challenge.acme.com", "_postern-challenge.acme.com.acme.com", "acme.com"]);
}

#[test]
fn only_values_of_ours_are_quoted_and_only_harmlessly() {
    let claim = challenge("acme.com");
    let nasty = format!("{VALUE_PREFIX}<script>\u{202e}{}", "x".repeat(300));
    let (outcome, _) =
        run(&claim, &[("_postern-challenge.acme.com", found(&["ms=secret-of-another-vendor", &nasty]))]);
    let words = outcome.explain(&claim);
    assert!(!format!("{outcome:?} {words:?}").contains("secret"), "{words:?}");
    let Outcome::WrongValue { found, others: 1, .. } = &outcome else { unreachable!("{outcome:?}") };
    assert!(found[0].chars().count() <= 101 && !found[0].contains('\u{202e}'), "{found:?}");
}

#[test]
fn the_words_of_each_outcome() {
    let claim = challenge("acme.com");
    let record = "_postern-challenge.acme.com";
    let zones: [&[(&str, TxtAnswer)]; 7] = [
        &[],
        &[(record, TxtAnswer::NoRecords)],
        &[(record, TxtAnswer::EmptyAlias { target: "gone.example".into() })],
        &[(record, found(&["v=spf1 -all"]))],
        &[(record, found(&[OLD]))],
        &[("acme.com", found(&[&claim.value]))],
        &[(record, TxtAnswer::Failed(LookupFailure::ServerFailure { code: "Server Failure".into() }))],
    ];
    let words: Vec<String> = zones
        .iter()
        .map(|zone| {
            let words = run(&claim, zone).0.explain(&claim);
            format!("{}\n  found: {}\n  next: {}", words.summary, words.found, words.next)
        })
        .collect();
    insta::assert_snapshot!(words.join("\n").replace(&claim.value, "VALUE"), @r"
    The name _postern-challenge.acme.com does not exist in DNS.
      found: no such name
      next: Create a TXT record named _postern-challenge.acme.com with the value VALUE. If it was created a moment ago, wait until your DNS provider has published it, then verify again.
    The name _postern-challenge.acme.com exists but has no TXT record.
      found: no TXT record
      next: Create a record of type TXT at _postern-challenge.acme.com with the value VALUE; records of other types do not count.
    The name _postern-challenge.acme.com is an alias (CNAME) of gone.example, which has no TXT record.
      found: a CNAME to gone.example without TXT record behind it
      next: Create the TXT record with the value VALUE at gone.example, or replace the CNAME at _postern-challenge.acme.com by a TXT record with that value.
    The name _postern-challenge.acme.com has no TXT record with the expected value.
      found: 1 TXT record that is not ours
      next: Add a TXT record at _postern-challenge.acme.com with exactly the value VALUE. Other TXT records may stay.
    The name _postern-challenge.acme.com has no TXT record with the expected value.
      found: postern-verification=oldoldoldoldoldoldoldoldoldoldol
      next: Each claim and each renewal has a value of its own, and the one found belongs to another. Replace it by VALUE, or add a second TXT record with that value, and verify again once the old answer's time to live is over.
    The name _postern-challenge.acme.com does not exist in DNS.
      found: no such name; the expected value stands at acme.com
      next: The record stands on acme.com itself. Create it under the name _postern-challenge.acme.com (the name field then holds _postern-challenge where the zone is acme.com).
    DNS could not be asked for _postern-challenge.acme.com: the name server answered with an error (Server Failure). This says nothing about the record.
      found: no answer
      next: Verify again in a few minutes. If it stays so, check that the name servers of acme.com answer from the internet.
    ");
}
