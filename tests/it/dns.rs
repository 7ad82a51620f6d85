//! Rule 1 over real UDP and TCP: the product's resolver asks a name server on loopback, and every outcome is
//! told apart.

use std::{net::Ipv4Addr, time::Duration};

use postern::{
    demo::dns::{Fault, NameServer, Transport},
    model::{
        dns_answer::{AddressAnswer, LookupFailure, TxtAnswer},
        dns_name::DomainName,
    },
    outbound::dns::{AddressLookup, DnsSettings, Resolver, TxtLookup},
    protocol::dns_challenge::{Challenge, ChallengeLabel, Mistake, Outcome, challenge_value},
    service::dns_check::check_challenge,
};

const RECORD: &str = "_postern-challenge.acme.test";
const NONCE: u64 = 0x1234_5678_9abc_def0;

fn claim() -> Challenge {
    let domain = DomainName::parse("acme.test").expect("a domain");
    Challenge { label: ChallengeLabel::default(), domain, value: challenge_value(&[9; 20]) }
}

fn resolver(servers: &[&NameServer]) -> Resolver {
    let nameservers = servers.iter().map(|server| server.address()).collect();
    Resolver::new(&DnsSettings { nameservers, timeout: Duration::from_millis(1500) }).expect("a resolver")
}

async fn set_up() -> (NameServer, Resolver) {
    let server = NameServer::start().await.expect("a name server");
    let resolver = resolver(&[&server]);
    (server, resolver)
}

async fn check(resolver: &Resolver) -> Outcome {
    check_challenge(resolver, claim(), NONCE).await
}

fn found(values: &[&str]) -> TxtAnswer {
    TxtAnswer::Found(values.iter().map(|value| (*value).to_owned()).collect())
}

/// The names asked, each once.
fn names(questions: &[(String, Transport)]) -> Vec<&str> {
    let mut names: Vec<&str> = questions.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn the_record_is_found_among_others() {
    let (server, resolver) = set_up().await;
    server.set_txt(RECORD, &["v=spf1 -all", &claim().value, "postern-verification=another"]);
    server.set_a(RECORD, Ipv4Addr::LOCALHOST);
    assert_eq!(check(&resolver).await, Outcome::Matched);
    let questions = server.take_questions();
    assert!(questions.iter().all(|(_, transport)| *transport == Transport::Udp), "{questions:?}");
    assert_eq!(names(&questions), [RECORD, "_123456789abcdef0.acme.test"]);
}

#[tokio::test]
async fn no_such_name_and_no_record_are_told_apart() {
    let (server, resolver) = set_up().await;
    assert_eq!(resolver.txt(RECORD).await, TxtAnswer::NoName);
    assert_eq!(check(&resolver).await, Outcome::NoSuchName { mistake: None });
    server.set_a(RECORD, Ipv4Addr::LOCALHOST);
    assert_eq!(resolver.txt(RECORD).await, TxtAnswer::NoRecords);
    assert_eq!(check(&resolver).await, Outcome::NoRecord { alias_of: None, mistake: None });
    server.remove(RECORD);
    // A name that only lies above another exists.
    server.set_txt(&format!("below.{RECORD}"), &["x"]);
    assert_eq!(resolver.txt(RECORD).await, TxtAnswer::NoRecords);
}

#[tokio::test]
async fn every_answer_is_fresh_in_spite_of_long_times_to_live() {
    let (server, resolver) = set_up().await;
    let value = claim().value;
    for _ in 0..3 {
        assert_eq!(resolver.txt(RECORD).await, TxtAnswer::NoName);
        server.set_txt(RECORD, &[&value]);
        assert_eq!(resolver.txt(RECORD).await, found(&[&value]));
        server.set_txt(RECORD, &["changed"]);
        assert_eq!(resolver.txt(RECORD).await, found(&["changed"]));
        server.remove(RECORD);
    }
}

#[tokio::test]
async fn values_longer_than_a_string_are_joined_per_record() {
    let (server, resolver) = set_up().await;
    let long = "x".repeat(255) + &"y".repeat(255) + "z";
    server.set_txt(RECORD, &[&long, "short"]);
    let TxtAnswer::Found(mut values) = resolver.txt(RECORD).await else { panic!("not found") };
    values.sort();
    assert_eq!(values, ["short".to_owned(), long]);
    // The expected value split in the middle, as some forms do from the first character on.
    let value = claim().value;
    let (start, end) = value.split_at(7);
    server.set_txt_strings(RECORD, vec![vec![start.into(), vec![], end.into()]]);
    assert_eq!(check(&resolver).await, Outcome::Matched);
    // Two records are not one value.
    server.set_txt(RECORD, &[start, end]);
    assert_eq!(check(&resolver).await.code(), "wrong_value");
    // Bytes that are no text neither match nor disturb.
    server.set_txt_strings(RECORD, vec![vec![vec![0xff, 0xfe]], vec![], vec![value.into()]]);
    assert_eq!(check(&resolver).await, Outcome::Matched);
}

#[tokio::test]
async fn large_answers_come_over_tcp() {
    let (server, resolver) = set_up().await;
    let big = "spf ".repeat(500);
    let value = claim().value;
    server.set_txt(RECORD, &[&big, &value]);
    assert_eq!(check(&resolver).await, Outcome::Matched);
    let questions = server.take_questions();
    assert_eq!(questions[0], (RECORD.to_owned(), Transport::Udp));
    assert_eq!(questions[1], (RECORD.to_owned(), Transport::Tcp));
    // The same where the name server says no more than "too long".
    server.set_txt(RECORD, &[&value]);
    server.set_fault(RECORD, Some(Fault::TruncateUdp));
    assert_eq!(check(&resolver).await, Outcome::Matched);
}

#[tokio::test]
async fn aliases_are_followed_whoever_follows_them() {
    let (server, resolver) = set_up().await;
    let value = claim().value;
    server.set_cname(RECORD, "acme.verify.test");
    server.set_cname("acme.verify.test", "third.test");
    server.set_txt("third.test", &[&value]);
    assert_eq!(resolver.txt(RECORD).await, found(&[&value]));
    server.set_fault_everywhere(Some(Fault::BareAlias));
    assert_eq!(resolver.txt(RECORD).await, found(&[&value]));
    assert_eq!(check(&resolver).await, Outcome::Matched);
    // An alias that leads nowhere is neither "no such name" nor "no record of yours".
    for fault in [None, Some(Fault::BareAlias)] {
        server.set_fault_everywhere(fault);
        server.remove("third.test");
        let nowhere = Outcome::NoRecord { alias_of: Some("acme.verify.test".to_owned()), mistake: None };
        assert_eq!(check(&resolver).await, nowhere, "{fault:?}");
        server.set_a("third.test", Ipv4Addr::LOCALHOST);
        assert_eq!(check(&resolver).await, nowhere, "{fault:?}");
    }
    // A circle ends.
    server.set_cname("third.test", RECORD);
    assert!(!check(&resolver).await.is_match());
}

#[tokio::test]
async fn a_wrong_value_quotes_only_what_is_ours() {
    let (server, resolver) = set_up().await;
    server.set_txt(RECORD, &["v=spf1 -all", "MS=ms123"]);
    assert_eq!(check(&resolver).await, Outcome::WrongValue { found: vec![], others: 2, mistake: None });
    server.set_txt(RECORD, &["MS=ms123", "postern-verification=old"]);
    let outcome = check(&resolver).await;
    let found = vec!["postern-verification=old".to_owned()];
    assert_eq!(outcome, Outcome::WrongValue { found, others: 1, mistake: Some(Mistake::OldValue) });
    let words = outcome.explain(&claim());
    assert!(words.found.contains("postern-verification=old") && !words.found.contains("ms123"), "{words:?}");
}

#[tokio::test]
async fn likely_mistakes_are_looked_for_after_a_miss_only() {
    let (server, resolver) = set_up().await;
    let value = claim().value;
    let twice = format!("{RECORD}.acme.test");
    server.set_txt(&twice, &[&value]);
    let outcome = check(&resolver).await;
    assert_eq!(outcome.mistake(), Some(&Mistake::ZoneTwice { name: twice.clone(), right_value: true }));
    server.remove(&twice);
    server.set_txt("acme.test", &["v=spf1 -all", &value]);
    let outcome = check(&resolver).await;
    assert_eq!(outcome, Outcome::NoSuchName { mistake: Some(Mistake::AtApex { right_value: true }) });
    server.set_txt(RECORD, &[&value]);
    server.take_questions();
    assert_eq!(check(&resolver).await, Outcome::Matched);
    assert_eq!(names(&server.take_questions()), [RECORD, "_123456789abcdef0.acme.test"]);
}

#[tokio::test]
async fn wildcards_prove_nothing() {
    let (server, resolver) = set_up().await;
    let value = claim().value;
    server.set_txt("*.acme.test", &[&value]);
    assert_eq!(check(&resolver).await.code(), "wildcard_record");
    // A wildcard alias to somebody else's zone, whose holder would prove a domain that is not theirs.
    server.remove("*.acme.test");
    server.set_cname("*.acme.test", "parked.hosting.test");
    server.set_txt("parked.hosting.test", &[&value]);
    assert_eq!(check(&resolver).await.code(), "wildcard_record");
    // An exact record beside a wildcard of other content stands.
    server.set_txt("parked.hosting.test", &["v=spf1 -all"]);
    server.set_txt(RECORD, &[&value]);
    assert_eq!(check(&resolver).await, Outcome::Matched);
}

#[tokio::test]
async fn not_reaching_dns_is_unknown_and_never_a_miss() {
    let (server, resolver) = set_up().await;
    server.set_txt(RECORD, &[&claim().value]);
    for (fault, code) in [
        (Fault::ServerFailure, "dns_server_failure"),
        (Fault::Refused, "dns_server_failure"),
        (Fault::Silence, "dns_timeout"),
    ] {
        server.set_fault(RECORD, Some(fault));
        let Outcome::Unknown { failure } = check(&resolver).await else { panic!("{fault:?} told something") };
        assert_eq!(failure.code(), code, "{fault:?}");
    }
    server.set_fault(RECORD, None);
    assert_eq!(check(&resolver).await, Outcome::Matched);
    // The neighbour's silence leaves open whether the record is a wildcard.
    server.set_fault_everywhere(Some(Fault::Silence));
    server.set_fault(RECORD, Some(Fault::BareAlias));
    assert_eq!(check(&resolver).await, Outcome::Unknown { failure: LookupFailure::Timeout });
    // Nobody listens at all.
    let address = server.address();
    drop(server);
    let settings = DnsSettings { nameservers: vec![address], timeout: Duration::from_millis(500) };
    let outcome = check(&Resolver::new(&settings).expect("a resolver")).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn the_second_name_server_answers_when_the_first_does_not() {
    let first = NameServer::start().await.expect("a name server");
    let second = NameServer::start().await.expect("a name server");
    second.set_txt(RECORD, &[&claim().value]);
    for fault in [Fault::ServerFailure, Fault::Refused, Fault::Silence] {
        first.set_fault_everywhere(Some(fault));
        assert_eq!(check(&resolver(&[&first, &second])).await, Outcome::Matched, "{fault:?}");
    }
}

#[tokio::test]
async fn a_silent_server_does_not_hold_a_check_beyond_its_time() {
    let (server, resolver) = set_up().await;
    server.set_fault_everywhere(Some(Fault::Silence));
    let begun = std::time::Instant::now();
    assert_eq!(check(&resolver).await, Outcome::Unknown { failure: LookupFailure::Timeout });
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn addresses_are_learned_through_aliases_too() {
    let (server, resolver) = set_up().await;
    server.set_a("idp.acme.test", Ipv4Addr::new(192, 0, 2, 7));
    server.set_cname("alias.acme.test", "idp.acme.test");
    server.set_txt("text.acme.test", &["no address"]);
    let four = AddressAnswer::Found(vec![Ipv4Addr::new(192, 0, 2, 7).into()]);
    for (name, expected) in [
        ("idp.acme.test", four.clone()),
        ("alias.acme.test", four.clone()),
        ("text.acme.test", AddressAnswer::NoAddresses),
        ("absent.acme.test", AddressAnswer::NoName),
    ] {
        assert_eq!(resolver.addresses(name).await, expected, "{name}");
    }
    server.set_fault_everywhere(Some(Fault::ServerFailure));
    let failed = resolver.addresses("idp.acme.test").await;
    assert!(matches!(failed, AddressAnswer::Failed(LookupFailure::ServerFailure { .. })), "{failed:?}");
    server.set_fault_everywhere(None);
    assert_eq!(resolver.addresses("idp.acme.test").await, four, "nothing is answered from a cache");
}
