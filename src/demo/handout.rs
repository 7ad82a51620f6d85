//! What is printed when the story is told: addresses, credentials, and command lines that work as they stand.

use super::error::DemoError;
use super::people;
use super::scim_client::{by_user_name, deactivation};
use super::screen::{Screen, line};
use super::stage::Stage;
use super::tour::Results;

/// Shows how to go on by hand.
pub fn show(screen: Screen, stage: &Stage, results: &Results) -> Result<(), DemoError> {
    let base = &stage.public_url;
    screen.chapter("Now by hand: all of this stays up until Ctrl-C")?;
    line("")?;
    line("  In a browser (the demo IdP lists its accounts and asks for no password):")?;
    screen.fact("sign-in page", &format!("{base}/login"))?;
    for (email, what) in [
        (&results.active.email, "came over SCIM and is active: works"),
        (&people::margaret().email, "is not known yet: becomes a member just in time"),
        (&people::ada().email, "was deactivated: is refused, with the reason"),
    ] {
        screen.fact("", &format!("{email:<28} {what}"))?;
    }
    screen.fact("API documents", &format!("{base}/docs"))?;
    line("")?;
    line("  Credentials:")?;
    screen.fact("operator's key", &results.operator_key)?;
    screen.fact("API key", &results.api_key)?;
    screen.fact("SCIM base URL", &results.scim_base_url)?;
    screen.fact("SCIM token", &results.scim_token)?;
    line("")?;
    line("  To paste into another terminal:")?;
    for (about, command) in commands(stage, results) {
        line("")?;
        screen.command(&about, &command)?;
    }
    line("")
}

/// Each with what it does.
fn commands(stage: &Stage, results: &Results) -> Vec<(String, String)> {
    let base = &stage.public_url;
    let api = format!("{base}/api/v1");
    let scim = &results.scim_base_url;
    let next = &results.next;
    let with = |secret: &str| format!("Authorization: Bearer {secret}");
    let curl = |secret: &str, rest: &[&str]| {
        let mut words = vec!["curl".to_owned(), "-sS".to_owned(), "-w".to_owned(), quoted("\\n")];
        words.extend(["-H".to_owned(), quoted(&with(secret))]);
        words.extend(rest.iter().map(|word| quoted(word)));
        words.join(" ")
    };
    let (local_part, _) = next.email.split_once('@').unwrap_or((&next.email, ""));
    let search = format!("{api}/organizations/me/members?search={local_part}");
    let filter = format!("filter={}", by_user_name(&next.email));
    let users = format!("{scim}/Users");
    let user = format!("{scim}/Users/{}", results.next_id);
    let patch = deactivation().to_string();
    let content_type = "Content-Type: application/scim+json";
    let newest = format!("{api}/organizations/me/events?limit=3&order_by=-number");
    let address = stage.names.address();
    vec![
        (
            "all organizations, as the operator".to_owned(),
            curl(&results.operator_key, &[&format!("{api}/organizations")]),
        ),
        ("a member of Acme, found by a part of the address".to_owned(), curl(&results.api_key, &[&search])),
        (
            format!("{} as the directory sees it", next.name()),
            curl(&results.scim_token, &["-G", "--data-urlencode", &filter, &users]),
        ),
        (
            format!("deactivate {} over SCIM", next.name()),
            curl(&results.scim_token, &["-X", "PATCH", "-H", content_type, "-d", &patch, &user]),
        ),
        ("the newest events of Acme".to_owned(), curl(&results.api_key, &[&newest])),
        (
            "the TXT record that proved the domain".to_owned(),
            format!("dig +short -p {} @{} TXT {}", address.port(), address.ip(), results.record_name),
        ),
    ]
}

/// A word as a shell takes it, whatever is in it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reaches_the_shell_as_it_is() {
        assert_eq!(quoted("http://127.0.0.1:8080/scim/v2/Users"), "http://127.0.0.1:8080/scim/v2/Users");
        assert_eq!(quoted("a?b=$c"), "'a?b=$c'");
        assert_eq!(quoted("O'Neil"), "'O'\\''Neil'");
        assert_eq!(quoted(""), "''");
    }
}
