//! The small XML tree that every SAML document is read into.
//!
//! It is made by [`super::scan`] only, borrows from the text it was read from, keeps elements in document
//! order, and knows namespaces. There is no other tree in this engine: what is checked is what is used.

use std::borrow::Cow;
use std::ops::Range;

/// An element's place in its [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId(pub(super) usize);

/// One attribute that is not a namespace declaration.
#[derive(Debug, Clone)]
pub struct Attribute<'a> {
    /// The prefix as written, empty where there is none.
    pub prefix: &'a str,
    /// The name without its prefix.
    pub local: &'a str,
    /// The namespace, empty for attributes without a prefix.
    pub namespace: &'a str,
    /// The value with references resolved and white space normalized.
    pub value: Cow<'a, str>,
}

/// A child of an element.
#[derive(Debug, Clone)]
pub enum Node<'a> {
    /// A child element.
    Element(ElementId),
    /// A run of text with references resolved and line ends normalized.
    Text(Cow<'a, str>),
}

/// One element.
#[derive(Debug, Clone)]
pub struct Element<'a> {
    /// The element around it; none for the root.
    pub parent: Option<ElementId>,
    /// The prefix as written, empty where there is none.
    pub prefix: &'a str,
    /// The name without its prefix.
    pub local: &'a str,
    /// The namespace, empty where there is none.
    pub namespace: &'a str,
    /// Attributes in the order they were written.
    pub attributes: Vec<Attribute<'a>>,
    /// Namespace declarations standing on this element: prefix (empty for the default) and URI.
    pub declarations: Vec<(&'a str, &'a str)>,
    /// Child elements and text in the order they were written.
    pub children: Vec<Node<'a>>,
    /// From the first byte of its start tag to the last of its end tag, in the text that the document was read from.
    pub(super) span: Range<usize>,
}

impl Element<'_> {
    /// The value of an attribute without namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.namespace.is_empty() && a.local == name).map(|a| &*a.value)
    }

    /// The name as written, for messages.
    pub fn qualified_name(&self) -> String {
        if self.prefix.is_empty() { self.local.to_owned() } else { format!("{}:{}", self.prefix, self.local) }
    }
}

/// A whole document; element 0 is the root and the order is document order.
#[derive(Debug, Clone, Default)]
pub struct Document<'a> {
    pub(super) elements: Vec<Element<'a>>,
}

impl<'a> Document<'a> {
    /// The root element. A document that came out of the scanner always has one.
    pub fn root(&self) -> ElementId {
        ElementId(0)
    }

    /// The element at a place of this document.
    pub fn element(&self, id: ElementId) -> &Element<'a> {
        &self.elements[id.0]
    }

    /// Every element in document order.
    pub fn all(&self) -> impl Iterator<Item = ElementId> + use<> {
        (0..self.elements.len()).map(ElementId)
    }

    /// Whether the element has this expanded name.
    pub fn is(&self, id: ElementId, namespace: &str, local: &str) -> bool {
        let element = self.element(id);
        element.local == local && element.namespace == namespace
    }

    /// Child elements in order.
    pub fn children(&self, id: ElementId) -> impl Iterator<Item = ElementId> {
        self.element(id).children.iter().filter_map(|node| match node {
            Node::Element(child) => Some(*child),
            Node::Text(_) => None,
        })
    }

    /// Child elements of one expanded name, in order.
    pub fn children_named(
        &self,
        id: ElementId,
        namespace: &'static str,
        local: &'static str,
    ) -> impl Iterator<Item = ElementId> {
        self.children(id).filter(move |child| self.is(*child, namespace, local))
    }

    /// The first child of that expanded name.
    pub fn child(&self, id: ElementId, namespace: &'static str, local: &'static str) -> Option<ElementId> {
        self.children_named(id, namespace, local).next()
    }

    /// The text directly inside the element, without that of child elements.
    pub fn text(&self, id: ElementId) -> String {
        let mut out = String::new();
        for node in &self.element(id).children {
            if let Node::Text(text) = node {
                out.push_str(text);
            }
        }
        out
    }

    /// All text inside the element, child elements included.
    pub fn deep_text(&self, id: ElementId) -> String {
        let mut out = String::new();
        self.push_deep_text(id, &mut out);
        out
    }

    fn push_deep_text(&self, id: ElementId, out: &mut String) {
        for node in &self.element(id).children {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Element(child) => self.push_deep_text(*child, out),
            }
        }
    }

    /// Whether `ancestor` is the element itself or stands around it.
    pub fn is_within(&self, id: ElementId, ancestor: ElementId) -> bool {
        let mut current = Some(id);
        while let Some(at) = current {
            if at == ancestor {
                return true;
            }
            current = self.element(at).parent;
        }
        false
    }

    /// The element as a document of its own, without another one inside it: as it is written in the text that this
    /// document was read from, with the namespace declarations of the elements around it put into its start tag.
    pub fn standalone(&self, text: &str, id: ElementId, without: Option<ElementId>) -> String {
        let element = self.element(id);
        let Range { start, end } = element.span;
        let name = element.prefix.len() + usize::from(!element.prefix.is_empty()) + element.local.len();
        let named = start + 1 + name;
        let gap = without.map_or(end..end, |inside| self.element(inside).span.clone());
        let written = |range: Range<usize>| text.get(range).unwrap_or_default();
        let mut out = String::with_capacity(end - start + 256);
        out.push_str(written(start..named));
        let mut known: Vec<&str> = element.declarations.iter().map(|(prefix, _)| *prefix).collect();
        let mut around = element.parent;
        while let Some(outer) = around.map(|outer| self.element(outer)) {
            for (prefix, uri) in &outer.declarations {
                if known.contains(prefix) {
                    continue;
                }
                known.push(prefix);
                // No URI has a character that would have to be escaped: the scanner takes none that has.
                out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
                out.push_str(prefix);
                out.push_str("=\"");
                out.push_str(uri);
                out.push('"');
            }
            around = outer.parent;
        }
        out.push_str(written(named..gap.start));
        out.push_str(written(gap.end..end));
        out
    }

    /// The URI a prefix stands for at an element; none where it is not declared. `""` asks for the default.
    pub fn in_scope(&self, id: ElementId, prefix: &str) -> Option<&'a str> {
        let mut current = Some(id);
        while let Some(at) = current {
            let element = self.element(at);
            if let Some((_, uri)) = element.declarations.iter().find(|(p, _)| *p == prefix) {
                return Some(uri);
            }
            current = element.parent;
        }
        None
    }
}

/// Escapes text or an attribute value for XML that this engine writes.
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            _ => out.push(c),
        }
    }
    out
}

/// Namespaces of SAML 2.0 and XML signatures.
pub mod ns {
    /// SAML assertions.
    pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    /// SAML protocol messages.
    pub const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
    /// SAML metadata.
    pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
    /// XML signatures.
    pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
    /// XML signatures 1.1.
    pub const DSIG11: &str = "http://www.w3.org/2009/xmldsig11#";
    /// XML encryption.
    pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
    /// XML encryption 1.1.
    pub const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
    /// Exclusive canonicalization.
    pub const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
    /// The `xml` prefix.
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
    /// The `xmlns` prefix.
    pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
    /// XML Schema instances (`xsi:type`, `xsi:nil`).
    pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
}

#[cfg(test)]
mod tests {
    use crate::protocol::saml::scan::{Rules, scan};

    #[test]
    fn an_element_stands_alone_with_the_namespaces_it_had() {
        let text = "<a xmlns='urn:d' xmlns:p='urn:1' xmlns:q='urn:q'>x<b xmlns:p=\"urn:2\">\
                    <q:c p:x='1'  ><d> &amp;</d><e/></q:c></b></a>";
        let doc = scan(text, Rules::MESSAGE).unwrap();
        let named = |name: &str| doc.all().find(|id| doc.element(*id).local == name).unwrap();
        assert_eq!(
            doc.standalone(text, named("c"), Some(named("e"))),
            "<q:c xmlns:p=\"urn:2\" xmlns=\"urn:d\" xmlns:q=\"urn:q\" p:x='1'  ><d> &amp;</d></q:c>"
        );
        assert_eq!(
            doc.standalone(text, named("e"), None),
            "<e xmlns:p=\"urn:2\" xmlns=\"urn:d\" xmlns:q=\"urn:q\"/>"
        );
        assert_eq!(doc.standalone(text, doc.root(), None), text);
    }
}
