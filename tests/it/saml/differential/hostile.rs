//! Changes that somebody would make who wants to be taken for somebody else: elements, attributes and signatures
//! moved, doubled and borrowed from the response of another person, and what parsers read differently.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::tree::{Element, Node, Path};

/// Whom an attacker wants to be.
pub const VICTIM: &str = "victim@acme.test";

type Change = fn(&mut StdRng, &mut Element, &Element);

const CHANGES: [Change; 17] = [
    drop_one,
    double_one,
    move_one,
    swap_two,
    wrap_one,
    unwrap_one,
    rename_one,
    change_attribute,
    borrow,
    move_signature,
    wrap_signature,
    wrap_signature,
    forge,
    interrupt,
    rebind,
    transforms,
    odd_attribute,
];

/// Makes one of them; the donor is a right response for another person, by the same IdP.
pub fn change(rng: &mut StdRng, root: &mut Element, donor: &Element) {
    CHANGES.choose(rng).expect("some")(rng, root, donor);
}

fn any_path(rng: &mut StdRng, root: &Element) -> Path {
    root.paths().choose(rng).expect("a root").clone()
}

/// Puts an element anywhere.
fn put(rng: &mut StdRng, root: &mut Element, element: Element) {
    let path = any_path(rng, root);
    let around = root.at_mut(&path);
    let at = rng.random_range(0..=around.children.len());
    around.children.insert(at, Node::Element(element));
}

fn drop_one(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    root.take(&path);
}

fn double_one(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    let Some((last, around)) = path.split_last() else { return };
    let copy = root.at(&path).clone();
    let at = last + rng.random_range(0..2);
    root.at_mut(around).children.insert(at, Node::Element(copy));
}

fn move_one(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    if let Some(element) = root.take(&path) {
        put(rng, root, element);
    }
}

fn swap_two(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    let children = &mut root.at_mut(&path).children;
    if children.len() > 1 {
        let (one, other) = (rng.random_range(0..children.len()), rng.random_range(0..children.len()));
        children.swap(one, other);
    }
}

const NAMES: [&str; 14] = [
    "saml:Assertion",
    "samlp:Response",
    "samlp:Extensions",
    "saml:Advice",
    "ds:Object",
    "ds:Signature",
    "saml:Subject",
    "saml:NameID",
    "saml:AttributeValue",
    "saml:AttributeStatement",
    "saml:EncryptedAssertion",
    "saml:Issuer",
    "other",
    "saml:SubjectConfirmation",
];

fn wrap_one(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    let mut wrapper = Element::new(NAMES.choose(rng).expect("some"), Vec::new());
    let Some((last, around)) = path.split_last() else {
        // A second root around the first.
        wrapper.attributes.clone_from(&root.attributes);
        let inner = std::mem::replace(root, wrapper);
        root.children.push(Node::Element(inner));
        return;
    };
    let slot = &mut root.at_mut(around).children[*last];
    let inner = std::mem::replace(slot, Node::Raw(String::new()));
    wrapper.children.push(inner);
    *slot = Node::Element(wrapper);
}

fn unwrap_one(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    let Some(element) = root.take(&path) else { return };
    let (last, around) = path.split_last().expect("not the root");
    root.at_mut(around).children.splice(*last..*last, element.children);
}

fn rename_one(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    root.at_mut(&path).name = (*NAMES.choose(rng).expect("some")).to_owned();
}

const VALUES: [&str; 12] = [
    "",
    "_response1",
    "_assertion1",
    "#_assertion1",
    "#xpointer(/)",
    "http://127.0.0.1:1/",
    "urn:oasis:names:tc:SAML:2.0:status:Success",
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "2036-01-01T00:00:00Z",
    VICTIM,
];

fn change_attribute(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    let attributes = &mut root.at_mut(&path).attributes;
    if attributes.is_empty() {
        return;
    }
    let index = rng.random_range(0..attributes.len());
    match rng.random_range(0..4) {
        0 => drop(attributes.remove(index)),
        1 => attributes.push(attributes[index].clone()),
        2 => attributes[index].1 = (*VALUES.choose(rng).expect("some")).to_owned(),
        _ => {
            attributes[index].0 =
                (*["ID", "Id", "id", "xml:id", "Name", "URI"].choose(rng).expect("some")).to_owned();
        }
    }
}

fn odd_attribute(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let path = any_path(rng, root);
    let name = [
        "ID",
        "Id",
        "xml:id",
        "xml:space",
        "xml:base",
        "xsi:nil",
        "xsi:type",
        "FriendlyName",
        "Format",
        "new",
    ];
    let name = (*name.choose(rng).expect("some")).to_owned();
    let value = (*VALUES.choose(rng).expect("some")).to_owned();
    let at = rng.random_range(0..=root.at(&path).attributes.len());
    root.at_mut(&path).attributes.insert(at, (name, value));
}

/// An element of the other person's response, beside or in place of one here.
fn borrow(rng: &mut StdRng, root: &mut Element, donor: &Element) {
    let path = any_path(rng, donor);
    let element = donor.at(&path).clone();
    if rng.random_bool(0.3) {
        put(rng, root, element);
        return;
    }
    let same = root.named(element.local());
    match same.choose(rng) {
        Some(here) => *root.at_mut(here) = element,
        None => put(rng, root, element),
    }
}

fn move_signature(rng: &mut StdRng, root: &mut Element, donor: &Element) {
    let here = root.named("Signature");
    let Some(path) = here.choose(rng) else { return };
    match rng.random_range(0..4) {
        0 => {
            if let Some(signature) = root.take(path) {
                put(rng, root, signature);
            }
        }
        1 => {
            let copy = root.at(path).clone();
            put(rng, root, copy);
        }
        2 => {
            let other = donor.named("Signature");
            if let Some(other) = other.choose(rng) {
                *root.at_mut(path) = donor.at(other).clone();
            }
        }
        _ => {
            // One signature's part in the other.
            let part = ["SignedInfo", "SignatureValue", "Reference", "KeyInfo"].choose(rng).expect("some");
            let (from, to) = (donor.named(part), root.named(part));
            if let (Some(from), Some(to)) = (from.choose(rng), to.choose(rng)) {
                *root.at_mut(to) = donor.at(from).clone();
            }
        }
    }
}

/// Says that it is about the victim.
fn disguise(rng: &mut StdRng, element: &mut Element) {
    for name in ["NameID", "AttributeValue"] {
        // From the inside out: what is in one of them goes with it.
        for path in element.named(name).into_iter().rev() {
            element.at_mut(&path).children = vec![Node::Raw(VICTIM.to_owned())];
        }
    }
    if rng.random_bool(0.7) {
        for (_, value) in element.attributes.iter_mut().filter(|(name, _)| name == "ID") {
            *value = "_forged".to_owned();
        }
    }
    if rng.random_bool(0.5) {
        // The first is the outermost, whose taking moves no other.
        if let Some(path) = element.named("Signature").first() {
            element.take(path);
        }
    }
}

/// Signature wrapping: a forged copy where readers look, the signed original where verifiers find it.
fn wrap_signature(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let what = if rng.random_bool(0.3) { "Response" } else { "Assertion" };
    let Some(path) = root.named(what).first().cloned() else { return };
    let original = root.at(&path).clone();
    let mut forged = original.clone();
    disguise(rng, &mut forged);
    if path.is_empty() {
        *root = forged;
        put(rng, root, original);
        return;
    }
    let (last, around) = path.split_last().expect("not the root");
    match rng.random_range(0..4) {
        // Side by side, either first.
        0 => root.at_mut(around).children.insert(*last, Node::Element(forged)),
        1 => root.at_mut(around).children.insert(last + 1, Node::Element(forged)),
        // The original in the forged one, anywhere or as an object of its signature.
        2 => {
            put(rng, &mut forged, original);
            *root.at_mut(&path) = forged;
        }
        _ => {
            let mut object = Element::new("ds:Object", Vec::new());
            object.children.push(Node::Element(original));
            match forged.named("Signature").first().cloned() {
                Some(signature) => forged.at_mut(&signature).children.push(Node::Element(object)),
                None => forged.children.push(Node::Element(object)),
            }
            *root.at_mut(&path) = forged;
        }
    }
}

/// Other words in one place.
fn forge(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let name = ["NameID", "AttributeValue", "Issuer", "Audience", "DigestValue", "SignatureValue"]
        .choose(rng)
        .expect("some");
    if let Some(path) = root.named(name).choose(rng) {
        root.at_mut(path).children = vec![Node::Raw(VICTIM.to_owned())];
    }
}

/// Something in the midst of a text that one reader skips and another stops at.
fn interrupt(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let what = [
        "<!---->",
        "<!--x-->",
        "<?x y?>",
        "<![CDATA[]]>",
        "<![CDATA[x]]>",
        "<x/>",
        "&x;",
        "&#0;",
        "&#x200B;",
        "\u{0}",
        "\r",
        "&#13;",
        "\u{85}",
        "\u{2028}",
        "]]>",
        "<saml:NameID/>",
    ];
    let what = what.choose(rng).expect("some");
    let mut texts = root.texts();
    if texts.is_empty() {
        return;
    }
    let index = rng.random_range(0..texts.len());
    let text = &mut *texts[index];
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    text.insert_str(*places.choose(rng).expect("an end"), what);
}

/// A prefix that means something else from here on, or no prefix at all.
fn rebind(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let namespaces = [
        "urn:oasis:names:tc:SAML:2.0:assertion",
        "urn:oasis:names:tc:SAML:2.0:protocol",
        "http://www.w3.org/2000/09/xmldsig#",
        "http://www.w3.org/XML/1998/namespace",
        "urn:other",
        "relative",
        "",
    ];
    let prefixes =
        ["xmlns", "xmlns:saml", "xmlns:samlp", "xmlns:ds", "xmlns:xs", "xmlns:new", "xmlns:xml", "xmlns:xsi"];
    let (name, value) = (*prefixes.choose(rng).expect("some"), *namespaces.choose(rng).expect("some"));
    let path = any_path(rng, root);
    let element = root.at_mut(&path);
    element.attributes.retain(|(there, _)| there != name);
    element.attributes.push((name.to_owned(), value.to_owned()));
    if name == "xmlns" && rng.random_bool(0.5) {
        element.name = element.local().to_owned();
    }
}

/// Another list of prefixes, another transform, one more, one less.
fn transforms(rng: &mut StdRng, root: &mut Element, _: &Element) {
    let lists = root.named("InclusiveNamespaces");
    if let Some(path) = lists.choose(rng).filter(|_| rng.random_bool(0.5)) {
        let list = ["", "saml", "xs saml samlp", "#default", "ds xs", "xs  xs"].choose(rng).expect("some");
        root.at_mut(path).attributes = vec![
            ("xmlns:ec".to_owned(), "http://www.w3.org/2001/10/xml-exc-c14n#".to_owned()),
            ("PrefixList".to_owned(), (*list).to_owned()),
        ];
        return;
    }
    let Some(path) = root.named("Transforms").choose(rng).cloned() else { return };
    let algorithm = [
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
    ];
    let algorithm = (*algorithm.choose(rng).expect("some")).to_owned();
    let more = Element::new("ds:Transform", vec![("Algorithm".to_owned(), algorithm)]);
    let element = root.at_mut(&path);
    let at = rng.random_range(0..=element.children.len());
    if rng.random_bool(0.3) && at < element.children.len() {
        element.children.remove(at);
    } else {
        element.children.insert(at, Node::Element(more));
    }
}
