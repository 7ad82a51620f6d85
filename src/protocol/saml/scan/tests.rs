//! What the strict reader takes, and everything that it refuses.

use super::*;

fn problem(text: &str) -> ScanProblem {
    scan(text, Rules::MESSAGE).expect_err(text).problem
}

#[test]
fn reads_names_namespaces_text_and_attributes() {
    let text = "<?xml version='1.0' encoding=\"utf-8\"?>\n<p:a xmlns:p='urn:one' xmlns=\"urn:two\" b = 'x&lt;&#65;\r\n&#xA;' p:b='2'>\
                t&amp;\r\nu<c/><c xmlns=''></c ></p:a >\n";
    let doc = scan(text, Rules::MESSAGE).unwrap();
    let root = doc.element(doc.root());
    assert!(doc.is(doc.root(), "urn:one", "a"));
    assert_eq!(root.attribute("b"), Some("x<A \n"));
    assert_eq!(root.attributes[1].namespace, "urn:one");
    assert_eq!(doc.text(doc.root()), "t&\nu");
    let inner: Vec<_> = doc.children(doc.root()).map(|c| doc.element(c).namespace).collect();
    assert_eq!(inner, ["urn:two", ""]);
    assert_eq!(doc.in_scope(doc.children(doc.root()).next().unwrap(), "p"), Some("urn:one"));
}

#[test]
fn refuses_what_two_readers_might_read_differently() {
    use ScanProblem as P;
    for (text, expected) in [
        ("<!DOCTYPE a><a/>", P::Doctype),
        ("<a><!ENTITY x 'y'></a>", P::Doctype),
        ("<a>x<!-- y --></a>", P::Comment),
        ("<!-- y --><a/>", P::Comment),
        ("<a/><!-- y -->", P::Comment),
        ("<a><?x y?></a>", P::ProcessingInstruction),
        ("<?x y?><a/>", P::ProcessingInstruction),
        (" <?xml version='1.0'?><a/>", P::ProcessingInstruction),
        ("<a><![CDATA[x]]></a>", P::Cdata),
        ("<?xml version='1.1'?><a/>", P::Version),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", P::Encoding),
        ("<?xml version='1.0' encoding='UTF-16'?><a/>", P::Encoding),
        ("<?xml encoding='UTF-8'?><a/>", P::Malformed),
        ("<a>\u{1}</a>", P::ForbiddenCharacter),
        ("<a>\u{FFFE}</a>", P::ForbiddenCharacter),
        ("<a>&#0;</a>", P::ForbiddenCharacter),
        ("<a b='&#x1F;'/>", P::ForbiddenCharacter),
        ("<a>&#xD800;</a>", P::ForbiddenCharacter),
        ("<a>&nbsp;</a>", P::Reference),
        ("<a>&#x;</a>", P::Reference),
        ("<a>&#+65;</a>", P::Reference),
        ("<a>& b</a>", P::Reference),
        ("<a b='1' b='2'/>", P::DuplicateAttribute),
        ("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>", P::DuplicateAttribute),
        ("<a xmlns='urn:x' xmlns='urn:x'/>", P::DuplicateAttribute),
        ("<a xmlns='relative'/>", P::Namespace),
        ("<a xmlns:p=''/>", P::Namespace),
        ("<a xmlns:p='1:x'/>", P::Namespace),
        ("<a xmlns:xml='urn:x'/>", P::Namespace),
        ("<a xmlns:xmlns='urn:x'/>", P::Namespace),
        ("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", P::Namespace),
        ("<p:a/>", P::UndeclaredPrefix),
        ("<a p:b='1'/>", P::UndeclaredPrefix),
        ("<a><b xmlns:p='urn:x'/><p:c/></a>", P::UndeclaredPrefix),
        ("<a/><b/>", P::SecondRoot),
        ("<a/>x", P::TextOutsideRoot),
        ("x<a/>", P::TextOutsideRoot),
        ("", P::NoRoot),
        ("<a>", P::Truncated),
        ("<a", P::Truncated),
        ("<a b='", P::Truncated),
        ("<a></b>", P::Mismatch),
        ("</a>", P::Mismatch),
        ("<a b='1'c='2'/>", P::Malformed),
        ("<a b='<'/>", P::Malformed),
        ("<a>]]></a>", P::Malformed),
        ("<a:b:c/>", P::Malformed),
        ("<1/>", P::Malformed),
        ("<a b/>", P::Malformed),
        ("< a/>", P::Malformed),
    ] {
        assert_eq!(problem(text), expected, "{text}");
    }
}

#[test]
fn forbidden_characters_are_found_wherever_they_stand() {
    for before in 0..200 {
        for forbidden in ["\u{0}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
            let text = format!("<a>{}{forbidden}</a>", "x".repeat(before));
            let refusal = scan(&text, Rules::MESSAGE).unwrap_err();
            assert_eq!((refusal.problem, refusal.at), (ScanProblem::ForbiddenCharacter, before + 3));
        }
        let text = format!("<a>{}\t\r\n\u{7F}\u{F000}\u{FFFD}\u{EFFF}\u{1FFFE}</a>", "é".repeat(before));
        assert!(scan(&text, Rules::MESSAGE).is_ok(), "{before}");
    }
}

#[test]
fn limits_hold() {
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    assert!(scan(&deep(32), Rules::MESSAGE).is_ok());
    assert_eq!(problem(&deep(33)), ScanProblem::TooDeep);
    assert_eq!(problem(&format!("<a>{}</a>", "<b/>".repeat(20_000))), ScanProblem::TooManyElements);
    let attributes: String = (0..65).fold(String::new(), |s, n| s + &format!(" a{n}=''"));
    assert_eq!(problem(&format!("<a{attributes}/>")), ScanProblem::TooManyAttributes);
    let declared =
        |level: usize| (0..60).fold(format!("<e{level}"), |s, n| s + &format!(" xmlns:p{n}='urn:x'"));
    let nested = format!("{}>{}>{}/></e1></e0>", declared(0), declared(1), declared(2));
    assert_eq!(problem(&nested), ScanProblem::TooManyDeclarations);
}

#[test]
fn metadata_may_hold_comments() {
    let doc = scan("<!-- a --><a>x<!-- b -->y</a><!-- c -->", Rules::METADATA).unwrap();
    assert_eq!(doc.text(doc.root()), "xy");
    assert!(scan("<a><!-- x -- y --></a>", Rules::METADATA).is_err());
    assert!(scan("<a><!-- x", Rules::METADATA).is_err());
}
