//! Exclusive XML canonicalization 1.0 (<https://www.w3.org/TR/xml-exc-c14n/>) of our own tree.
//!
//! It lets us know *before* the C libraries see a document whether one of the connection's keys signed it, and
//! the demo's IdP signs with it. xmlsec must come to the same bytes afterwards, or the response is refused.

use super::xml::{Attribute, Document, ElementId, Node};

/// The canonical form of an element and all that is in it, but for `omit` (the enveloped signature).
///
/// `inclusive` is the PrefixList of `InclusiveNamespaces`; `#default` stands for the default namespace.
pub fn exclusive(doc: &Document<'_>, apex: ElementId, omit: Option<ElementId>, inclusive: &[&str]) -> String {
    let out = String::with_capacity(doc.element(apex).span.len() + 256);
    let mut writer = Writer { doc, apex, omit, inclusive, rendered: Vec::new(), out };
    writer.element(apex);
    writer.out
}

struct Writer<'d, 'a> {
    doc: &'d Document<'a>,
    apex: ElementId,
    omit: Option<ElementId>,
    inclusive: &'d [&'d str],
    /// Declarations written by the elements around, innermost last.
    rendered: Vec<(&'d str, &'d str)>,
    out: String,
}

impl<'d> Writer<'d, '_> {
    fn element(&mut self, id: ElementId) {
        let doc = self.doc;
        let element = doc.element(id);
        let mark = self.rendered.len();
        self.out.push('<');
        self.name(element.prefix, element.local);
        for (prefix, uri) in self.declarations(id) {
            self.out.push_str(" xmlns");
            if !prefix.is_empty() {
                self.out.push(':');
                self.out.push_str(prefix);
            }
            self.out.push_str("=\"");
            push_attribute(&mut self.out, uri);
            self.out.push('"');
            self.rendered.push((prefix, uri));
        }
        if let [only] = &element.attributes[..] {
            self.attribute(only);
        } else {
            let mut attributes: Vec<_> = element.attributes.iter().collect();
            attributes.sort_by(|a, b| (a.namespace, a.local).cmp(&(b.namespace, b.local)));
            for attribute in attributes {
                self.attribute(attribute);
            }
        }
        self.out.push('>');
        for child in &element.children {
            match child {
                Node::Text(text) => push_text(&mut self.out, text),
                Node::Element(child) if Some(*child) == self.omit => {}
                Node::Element(child) => self.element(*child),
            }
        }
        self.out.push_str("</");
        self.name(element.prefix, element.local);
        self.out.push('>');
        self.rendered.truncate(mark);
    }

    /// The declarations to write on this element, sorted by prefix: those that it uses visibly or that the
    /// PrefixList names, unless an element around has written the same.
    fn declarations(&self, id: ElementId) -> Vec<(&'d str, &'d str)> {
        let element = self.doc.element(id);
        let mut wanted: Vec<(&'d str, &'d str)> = Vec::new();
        let mut want = |prefix: &'d str, uri: &'d str| {
            let written = self.rendered.iter().rev().find(|(p, _)| *p == prefix).map_or("", |(_, u)| u);
            if prefix != "xml" && written != uri {
                wanted.push((prefix, uri));
            }
        };
        want(element.prefix, element.namespace);
        for attribute in element.attributes.iter().filter(|a| !a.prefix.is_empty()) {
            want(attribute.prefix, attribute.namespace);
        }
        // An element that declares nothing has in scope what the one around it has, where it was written.
        if id == self.apex || !element.declarations.is_empty() {
            for prefix in self.inclusive {
                let prefix: &'d str = if *prefix == "#default" { "" } else { prefix };
                if let Some(uri) = self.doc.in_scope(id, prefix) {
                    want(prefix, uri);
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    fn attribute(&mut self, attribute: &Attribute<'_>) {
        self.out.push(' ');
        self.name(attribute.prefix, attribute.local);
        self.out.push_str("=\"");
        push_attribute(&mut self.out, &attribute.value);
        self.out.push('"');
    }

    fn name(&mut self, prefix: &str, local: &str) {
        if !prefix.is_empty() {
            self.out.push_str(prefix);
            self.out.push(':');
        }
        self.out.push_str(local);
    }
}

fn push_text(out: &mut String, text: &str) {
    push(out, text, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

fn push_attribute(out: &mut String, value: &str) {
    push(out, value, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Runs without anything to escape are copied whole; all that is escaped is ASCII.
fn push(out: &mut String, text: &str, escaped: impl Fn(u8) -> Option<&'static str>) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(escape) = escaped(byte) {
            out.push_str(&text[from..at]);
            out.push_str(escape);
            from = at + 1;
        }
    }
    out.push_str(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::saml::scan::{Rules, scan};

    fn inner(text: &str, inclusive: &[&str]) -> String {
        let doc = scan(text, Rules::MESSAGE).unwrap();
        let apex = doc.all().find(|id| doc.element(*id).local == "elem2").unwrap();
        exclusive(&doc, apex, None, inclusive)
    }

    /// The examples of section 2.2 of the recommendation.
    #[test]
    fn is_the_same_in_both_surroundings() {
        let one = "<n0:local xmlns:n0='http://n0.example' xmlns:n3='ftp://example.org'>\
                   <n1:elem2 xmlns:n1='http://example.net' xml:lang='en'><n3:stuff/></n1:elem2></n0:local>";
        let two = "<n2:pdu xmlns:n1='http://example.com' xmlns:n2='http://foo.example' xmlns:n3='ftp://example.org' \
                   xml:lang='fr'><n1:elem2 xmlns:n1='http://example.net' xml:lang='en'><n3:stuff/></n1:elem2></n2:pdu>";
        let expected = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\">\
                        <n3:stuff xmlns:n3=\"ftp://example.org\"></n3:stuff></n1:elem2>";
        assert_eq!(inner(one, &[]), expected);
        assert_eq!(inner(two, &[]), expected);
        let listed = "<n1:elem2 xmlns:n1=\"http://example.net\" xmlns:n3=\"ftp://example.org\" xml:lang=\"en\">\
                      <n3:stuff></n3:stuff></n1:elem2>";
        assert_eq!(inner(one, &["n3", "absent"]), listed);
    }

    #[test]
    fn escapes_sorts_and_undeclares_the_default() {
        let text = "<a xmlns='urn:d' xmlns:z='urn:a' xmlns:y='urn:b'><elem2 b='&quot;&#9;&gt;' y:a='1' z:q='2' a='3'>\
                    x&gt;&#13;&amp;<in xmlns=''><again/></in></elem2></a>";
        assert_eq!(
            inner(text, &[]),
            "<elem2 xmlns=\"urn:d\" xmlns:y=\"urn:b\" xmlns:z=\"urn:a\" a=\"3\" b=\"&quot;&#x9;>\" z:q=\"2\" y:a=\"1\">\
             x&gt;&#xD;&amp;<in xmlns=\"\"><again></again></in></elem2>"
        );
    }

    #[test]
    fn leaves_out_the_enveloped_signature_only() {
        let doc = scan("<a><s/>x<b><s/></b></a>", Rules::MESSAGE).unwrap();
        let first = doc.children(doc.root()).next();
        assert_eq!(exclusive(&doc, doc.root(), first, &[]), "<a>x<b><s></s></b></a>");
    }
}
