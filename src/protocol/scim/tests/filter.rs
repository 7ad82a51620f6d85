//! Filters: grammar, meaning, refusals with their place, and hostile input.
use super::super::Filter;
use super::super::schema::user as user_type;
use super::*;

fn parsed(text: &str) -> Filter {
    Filter::parse(user_type(), text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn ada() -> Value {
    shown(&user(json!({
        "externalId": "X-1", "displayName": "Ada Lovelace", "active": true, "title": "Countess",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": "ada@example.com", "type": "work", "primary": true}, {"value": "a@home.example", "type": "home"}],
        (ENTERPRISE): {"department": "R&D", "manager": {"value": "m1"}}
    })))
}

#[test]
fn filters_mean_what_the_rfc_says() {
    for (text, holds) in [
        ("userName eq \"ADA@example.com\"", true),
        ("USERNAME EQ \"ada@example.com\"", true),
        ("userName ne \"ada@example.com\"", false),
        ("externalId eq \"x-1\"", false),
        ("externalId eq \"X-1\"", true),
        ("id eq \"U1\"", false),
        ("id eq \"u1\"", true),
        ("name.familyName co \"LOVE\"", true),
        ("displayName sw \"ada\" and displayName ew \"LACE\"", true),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"A\"", true),
        ("title pr", true),
        ("nickName pr", false),
        ("name pr", true),
        ("emails pr and not (ims pr)", true),
        ("active eq true", true),
        ("active eq \"True\"", true),
        ("active ne true", false),
        ("active eq False", false),
        ("nickName eq null", true),
        ("title eq null", false),
        ("title ne null", true),
        ("nickName ne \"x\"", true),
        ("emails co \"example.com\"", true),
        ("emails.type eq \"home\"", true),
        ("emails[type eq \"work\" and value co \"@example.com\"]", true),
        ("emails[type eq \"home\" and value co \"@example.com\"]", false),
        ("emails[type eq \"work\"].value sw \"ada\"", true),
        ("emails[not (type eq \"work\")].value eq \"a@home.example\"", true),
        ("emails[primary eq true]", true),
        ("meta.lastModified gt \"2026-01-15T00:00:00Z\"", true),
        ("meta.lastModified ge \"2026-02-01T01:00:00+01:00\"", true),
        ("meta.created lt \"2025-12-31T23:59:59Z\"", false),
        ("meta.created eq \"2026-01-01T00:00:00.000Z\"", true),
        ("meta.resourceType eq \"User\"", true),
        ("schemas eq \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"r&d\"", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"m1\"", true),
        ("manager eq \"m1\"", true),
        ("department eq \"x\"", false),
        // "and" binds tighter than "or".
        ("title pr or nickName pr and nickName pr", true),
        ("(title pr or nickName pr) and nickName pr", false),
        ("not(nickName pr)", true),
        ("  title   pr  ", true),
        ("displayName gt \"ada\" and displayName lt \"adb\"", true),
        ("userName eq \"\\u0061da@example.com\"", true),
    ] {
        assert_eq!(parsed(text).matches(&ada()), holds, "{text}");
    }
}

#[test]
fn a_filter_prints_as_it_reads() {
    for (text, printed) in [
        ("username Eq \"a\\\"b\\\\\"", "userName eq \"a\\\"b\\\\\""),
        ("((title pr))", "title pr"),
        ("emails co \"x\"", "emails.value co \"x\""),
        ("emails[type eq \"work\"].value eq \"x\"", "emails[type eq \"work\" and value eq \"x\"]"),
        (
            "not(title pr) and (active eq true or nickName pr)",
            "not (title pr) and (active eq true or nickName pr)",
        ),
        (
            "manager eq null",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq null",
        ),
    ] {
        assert_eq!(parsed(text).to_string(), printed);
        assert_eq!(parsed(printed), parsed(text));
    }
}

#[test]
fn a_refusal_says_where_and_why() {
    for (text, position, part) in [
        ("", 1, "expected an attribute"),
        ("nope eq \"x\"", 1, "nope"),
        ("name.nope eq \"x\"", 1, "nope"),
        ("urn:x:y eq \"x\"", 1, "schema"),
        ("password eq \"x\"", 1, "cannot be filtered"),
        ("userName", 9, "operator"),
        ("userName is \"x\"", 10, "one of eq"),
        ("userName eq", 12, "the end"),
        ("userName eq x", 13, "double quotes"),
        ("userName eq 'x'", 13, "double quotes"),
        ("userName eq \"x", 13, "closing"),
        ("userName eq \"\\x\"", 13, "JSON string"),
        ("userName eq \"\\ud800\"", 13, "JSON string"),
        ("userName eq \"\\u0000\"", 13, "NUL"),
        ("userName eq 5", 13, "string"),
        ("userName eq true", 13, "string"),
        ("userName gt null", 13, "eq and ne"),
        ("active eq \"banana\"", 11, "true or false"),
        ("active gt true", 8, "boolean"),
        ("active le false", 8, "boolean"),
        ("active co true", 8, "boolean"),
        ("emails.primary ge true", 16, "boolean"),
        ("x509Certificates.value gt \"x\"", 24, "binary"),
        ("name eq \"x\"", 1, "sub-attributes"),
        ("meta.created gt \"yesterday\"", 17, "date"),
        ("userName eq \"a\" and", 20, "the end"),
        ("userName eq \"a\" xor title pr", 17, "expected \"and\""),
        ("userName eq \"a\" \"b\"", 17, "expected \"and\""),
        ("(title pr", 10, "\")\""),
        ("title pr)", 9, "the end"),
        ("not title pr", 1, "not"),
        ("emails[type eq \"work\"", 22, "\"]\""),
        ("emails[nope eq \"x\"]", 8, "nope"),
        ("emails[emails[type pr]]", 8, "emails"),
        ("emails[type eq \"work\"].nope eq \"x\"", 23, "nope"),
        ("emails[type eq \"work\"]x", 23, "sub-attribute"),
        ("userName[value eq \"x\"]", 1, "brackets"),
        ("emails.value[value eq \"x\"]", 1, "brackets"),
        ("userName eq 1e999", 13, "double quotes"),
        ("displäyName pr", 1, "displäyName"),
        ("title eq \"é\" and \u{1F642} pr", 18, "\u{1F642}"),
    ] {
        let error = Filter::parse(user_type(), text).expect_err(text);
        assert!(error.message.contains(part), "{text}: {error}");
        assert_eq!(error.position, position, "{text}: {error}");
        assert_eq!(ScimError::from(error).to_json()["scimType"], "invalidFilter");
    }
}

#[test]
fn hostile_filters_cost_no_more_than_a_refusal() {
    let many = |text: &str, count: usize| text.repeat(count);
    for text in [
        format!("{}title pr{}", many("(", 2_000), many(")", 2_000)),
        many("(", 8_000),
        format!("{}title pr{}", many("not (", 65), many(")", 65)),
        many("not(", 2_000),
        many("emails[", 1_000),
        many("[", 8_000),
        many("title pr and ", 300) + "title pr",
        format!("userName eq \"{}\"", many("x", 10_000)),
        many("a", 8_000),
        many("\\", 8_000),
        many("\"", 8_001),
        many("\0", 100),
        many("🙂", 2_000),
    ] {
        let error = Filter::parse(user_type(), &text).expect_err("refused");
        assert!(error.to_string().len() < 400, "{error}");
    }
    let deep = format!("{}title pr{}", many("(", 64), many(")", 64));
    assert_eq!(parsed(&deep).to_string(), "title pr");
    let nots = format!("{}title pr{}", many("not (", 64), many(")", 64));
    assert!(parsed(&nots).matches(&ada()));
    assert_eq!(parsed(&parsed(&nots).to_string()), parsed(&nots));
    assert!(parsed(&(many("title pr and ", 255) + "title pr")).matches(&ada()));
}
