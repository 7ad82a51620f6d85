//! Settings without the environment of the test run: layers, refusals, typed values. The same through
//! the binary, with real variables and files, is in `tests/config.rs`.

use std::ffi::OsString;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::database::Engine;
use super::environment::Variables;
use super::{Config, Layers};

fn from_variables(pairs: &[(&str, &str)]) -> Layers {
    let all = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Layers::from_sources(None, &Variables::new(all))
}

/// The problems of a text, one a line.
fn refusal(text: &str) -> String {
    Config::from_toml_str(text).unwrap_err().to_string()
}

#[test]
fn the_built_in_file_is_complete_and_valid() {
    let config = Config::from_toml_str("").unwrap();
    assert_eq!(config.public_url.as_str(), "http://127.0.0.1:8080");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.engine, Engine::Sqlite);
    assert_eq!(config.database.url.expose_secret(), "sqlite://data/postern.db?mode=rwc");
    assert_eq!(config.security.access_token_lifetime, Duration::from_mins(5));
    assert_eq!(config.scim.rate_per_second.get(), 50);
    assert_eq!(config.dns.challenge_label, "_postern-challenge");
    assert!(config.security.installation_key.is_none());
}

#[test]
fn everything_wrong_is_named_in_one_run() {
    let text = "public_url = \"http://id.example.com\"\ncolour = 1\n[http]\nlisten = 8080\nlisten_on = \"x\"\n\
                [scim]\nrate_per_second = 5\n[dns]\nnameservers = [\"192.0.2.1\", \"192.0.2.2:53\"]\n";
    let refusal = refusal(text);
    for expected in [
        "public_url may be plain http on this machine only",
        "colour is not a setting",
        "http.listen expects text in quotes, found a whole number (given text)",
        "http.listen_on is not a setting; did you mean http.listen?",
        "scim.rate_per_second must lie between 25 and 100000, found 5",
        "dns.nameservers expects addresses with port such as \"192.0.2.1:53\", found \"192.0.2.1\"",
    ] {
        assert!(refusal.contains(expected), "{expected:?} not in:\n{refusal}");
    }
    assert_eq!(refusal.lines().count(), 6, "{refusal}");
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    for (text, expected) in [
        ("[http]\ntls_key = \"k.pem\"", "http.tls_certificate is missing"),
        ("[http]\ntls_certificate = \"c.pem\"", "http.tls_key is missing"),
        ("[http]\nrequest_timeout_seconds = 601", "must lie between 1 and 600, found 601"),
        ("[http]\nmetrics_listen = \"127.0.0.1:8080\"", "must differ from http.listen"),
        ("[security]\nsession_idle_minutes = 721", "must not be longer"),
        ("[scim]\ndefault_page = 201", "must not be larger than scim.max_page"),
        ("[scim]\nburst = 30", "scim.burst must be at least"),
        ("[limits]\napi_key_burst = 2", "must be at least limits.api_key_per_second"),
        (
            "[database]\nurl = \"postgres://db/postern\"",
            "security.installation_key is required on PostgreSQL",
        ),
        ("[security]\ninvite_days = 0", "must lie between 1 and 90, found 0"),
        ("[security]\ninvite_days = -1", "must lie between 1 and 90, found -1"),
        ("[security]\ninvite_days = 1.5", "expects a whole number, found a decimal number"),
        ("[dns]\nchallenge_label = \"a.b\"", "must be one DNS label"),
        ("[log]\nlevel = \"loud\"", "must be \"error\""),
        ("[http]\ntrusted_proxies = [\"10.0.0.0/33\"]", "found \"10.0.0.0/33\""),
        ("data_dir = \"\"", "data_dir is empty"),
        ("[http\n", "line 1 is not TOML"),
    ] {
        assert!(refusal(text).contains(expected), "{text:?}: {}", refusal(text));
    }
}

#[test]
fn secrets_stand_in_no_error_and_no_debug_output() {
    for text in [
        "[database]\nurl = \"mysql://u:hunter2@db/postern\"",
        "[database]\nurl = \"postgres://u:hunter2@[db/postern\"",
        "[database]\nurl = \"postgres://u:hunter2",
        "[security]\ninstallation_key = \"hunter2\"",
        "[security]\ninstallation_key = [\"hunter2\"]",
    ] {
        assert!(!refusal(text).contains("hunter2"), "{}", refusal(text));
    }
    let key = format!("{}E", "a".repeat(42));
    let text = format!(
        "[database]\nurl = \"postgres://u:hunter2@db/postern\"\n[security]\ninstallation_key = \"{key}=\""
    );
    let layers = Layers::of_text(&text);
    let printed = format!("{:?} {:?}", layers.config().unwrap(), layers.settings());
    assert!(!printed.contains("hunter2") && !printed.contains(&key), "{printed}");
}

#[test]
fn variables_take_the_kind_of_their_setting() {
    let config = from_variables(&[
        ("POSTERN_DNS__NAMESERVERS", "192.0.2.1:53, [2001:db8::1]:53"),
        ("POSTERN_SECURITY__INVITE_DAYS", "3"),
        ("POSTERN_DATA_DIR", "42"),
        ("POSTERN_HTTP__METRICS_LISTEN", ""),
        ("POSTERN_SERVICE_HOST", "10.0.0.1"),
        ("POSTERN_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("PATH", "/bin"),
    ])
    .config()
    .unwrap();
    assert_eq!(config.dns.nameservers.len(), 2);
    assert_eq!(config.security.invite_lifetime, Duration::from_hours(72));
    assert_eq!(config.data_dir.to_str(), Some("42"));
    assert_eq!(config.http.metrics_listen, None);
}

#[test]
fn variables_that_nothing_reads_are_refused_with_the_nearest_name() {
    let problems = from_variables(&[
        ("POSTERN_HTTP_LISTEN", "127.0.0.1:1"),
        ("POSTERN_PUBLICURL", "https://id.example.com"),
        ("POSTERN_SECURITY__INVITE_DAYS", "soon"),
        ("POSTERN_HTTP__LISTEN_FILE", "/nowhere"),
        ("POSTERN_DATABASE__URL", "postgres://u:hunter2@db/postern"),
        ("POSTERN_DATABASE__URL_FILE", "/nowhere"),
    ])
    .config()
    .unwrap_err()
    .to_string();
    for expected in [
        "POSTERN_HTTP_LISTEN belongs to no setting; did you mean POSTERN_HTTP__LISTEN?",
        "did you mean POSTERN_PUBLIC_URL?",
        "POSTERN_SECURITY__INVITE_DAYS expects a whole number, found \"soon\"",
        "POSTERN_HTTP__LISTEN_FILE is not read: only secrets come from files",
        "POSTERN_DATABASE__URL_FILE stands beside POSTERN_DATABASE__URL",
    ] {
        assert!(problems.contains(expected), "{expected:?} not in:\n{problems}");
    }
}

#[test]
fn a_proxy_may_be_one_address() {
    let config = Config::from_toml_str("[http]\ntrusted_proxies = [\"10.1.2.3/8\", \"192.0.2.7\"]").unwrap();
    let networks: Vec<String> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32"]);
}
