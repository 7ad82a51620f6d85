//! Changes that a right response may well survive: the spelling of what is signed, and the content of what is not.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

use super::tree::{Element, Node};

type Change = fn(&mut StdRng, &mut Element);

const CHANGES: [Change; 15] = [
    order_of_attributes,
    quotes,
    spaces_in_a_tag,
    empty_elements,
    space_between,
    key_info,
    declared_again,
    declared_further_up,
    characters_by_number,
    named_characters,
    wrapped_base64,
    told_by_nobody,
    other_prefix,
    more_status,
    all_tags,
];

/// Makes one of them.
pub fn change(rng: &mut StdRng, root: &mut Element) {
    CHANGES.choose(rng).expect("some")(rng, root);
}

/// Any element.
fn any<'a>(rng: &mut StdRng, root: &'a mut Element) -> &'a mut Element {
    let path = root.paths().choose(rng).expect("a root").clone();
    root.at_mut(&path)
}

fn order_of_attributes(rng: &mut StdRng, root: &mut Element) {
    any(rng, root).attributes.shuffle(rng);
}

fn quotes(rng: &mut StdRng, root: &mut Element) {
    any(rng, root).spelling.quote = '\'';
}

fn spaces_in_a_tag(rng: &mut StdRng, root: &mut Element) {
    let spelling = &mut any(rng, root).spelling;
    spelling.gap = ["  ", "\n", "\t", "\r\n  "].choose(rng).expect("some");
    spelling.tail = ["", " ", "\n"].choose(rng).expect("some");
}

fn all_tags(rng: &mut StdRng, root: &mut Element) {
    for path in root.paths() {
        let element = root.at_mut(&path);
        element.attributes.shuffle(rng);
        element.spelling.gap = "\n\t";
    }
}

fn empty_elements(_: &mut StdRng, root: &mut Element) {
    for path in root.paths() {
        let spelling = &mut root.at_mut(&path).spelling;
        spelling.ends = !spelling.ends;
    }
}

/// Directly in the response, so outside what is signed where only the assertion is.
fn space_between(rng: &mut StdRng, root: &mut Element) {
    let at = rng.random_range(0..=root.children.len());
    let space = ["\n", " ", "\r\n\t", "&#32;", "&#xa;"].choose(rng).expect("some");
    root.children.insert(at, Node::Raw((*space).to_owned()));
}

fn key_info(rng: &mut StdRng, root: &mut Element) {
    let Some(path) = root.named("KeyInfo").choose(rng).cloned() else { return };
    if rng.random_bool(0.3) {
        root.take(&path);
        return;
    }
    let element = root.at_mut(&path);
    let text = |name: &str, text: &str| {
        let mut element = Element::new(name, Vec::new());
        element.children.push(Node::Raw(text.to_owned()));
        element
    };
    if rng.random_bool(0.5) {
        element.children.clear();
    }
    let at = rng.random_range(0..=element.children.len());
    let more = match rng.random_range(0..3) {
        0 => text("ds:KeyName", "the key of somebody else"),
        1 => {
            let mut data = Element::new("ds:X509Data", Vec::new());
            data.children.push(Node::Element(text("ds:X509SubjectName", "CN=nobody")));
            data
        }
        _ => {
            let mut data = Element::new("ds:X509Data", Vec::new());
            data.children.push(Node::Element(text("ds:X509Certificate", "AAAA")));
            data
        }
    };
    element.children.insert(at, Node::Element(more));
}

/// The declaration of a prefix once more, further down.
fn declared_again(rng: &mut StdRng, root: &mut Element) {
    let path = root.paths().choose(rng).expect("a root").clone();
    let known: Vec<(String, String)> = (0..=path.len())
        .flat_map(|depth| root.at(&path[..depth]).attributes.clone())
        .filter(|(name, _)| name.starts_with("xmlns"))
        .collect();
    let Some((name, value)) = known.choose(rng) else { return };
    let element = root.at_mut(&path);
    if !element.attributes.iter().any(|(there, _)| there == name) {
        element.attributes.push((name.clone(), value.clone()));
    }
}

/// A declaration that stands on an element stands on the root too, or there alone.
fn declared_further_up(rng: &mut StdRng, root: &mut Element) {
    let path = root.paths().choose(rng).expect("a root").clone();
    let element = root.at_mut(&path);
    let Some(index) = element.attributes.iter().position(|(name, _)| name.starts_with("xmlns:")) else {
        return;
    };
    let declaration = element.attributes[index].clone();
    if rng.random_bool(0.5) {
        element.attributes.remove(index);
    }
    if !root.attributes.iter().any(|(there, _)| *there == declaration.0) {
        root.attributes.push(declaration);
    }
}

fn by_number(rng: &mut StdRng, text: &str) -> String {
    let mut out = String::new();
    let mut in_reference = false;
    for c in text.chars() {
        in_reference |= c == '&';
        if !in_reference && rng.random_bool(0.2) {
            let number = u32::from(c);
            let written =
                if rng.random_bool(0.5) { format!("&#{number};") } else { format!("&#x{number:04X};") };
            out.push_str(&written);
        } else {
            out.push(c);
        }
        in_reference &= c != ';';
    }
    out
}

fn characters_by_number(rng: &mut StdRng, root: &mut Element) {
    if rng.random_bool(0.3) {
        let element = any(rng, root);
        let Some(index) = (0..element.attributes.len()).collect::<Vec<_>>().choose(rng).copied() else {
            return;
        };
        let value = by_number(rng, &element.attributes[index].1);
        element.attributes[index].1 = value;
        return;
    }
    let mut texts = root.texts();
    let Some(index) = (0..texts.len()).collect::<Vec<_>>().choose(rng).copied() else { return };
    *texts[index] = by_number(rng, texts[index]);
}

fn named_characters(_: &mut StdRng, root: &mut Element) {
    for text in root.texts() {
        *text = text.replace('"', "&quot;").replace('\'', "&apos;").replace('>', "&gt;");
    }
}

fn wrapped_base64(rng: &mut StdRng, root: &mut Element) {
    let name = ["SignatureValue", "X509Certificate"].choose(rng).expect("some");
    let Some(path) = root.named(name).choose(rng).cloned() else { return };
    let width = [64, 76].choose(rng).expect("some");
    for text in root.at_mut(&path).texts() {
        let letters: Vec<char> = text.chars().collect();
        *text = letters.chunks(*width).flat_map(|line| line.iter().copied().chain(['\n'])).collect();
    }
}

/// What the root says is not signed where only the assertion is.
fn told_by_nobody(rng: &mut StdRng, root: &mut Element) {
    match rng.random_range(0..4) {
        0 => root.attributes.retain(|(name, _)| name != "Destination"),
        1 => {
            let consent = "urn:oasis:names:tc:SAML:2.0:consent:obtained";
            root.attributes.push(("Consent".to_owned(), consent.to_owned()));
        }
        2 => {
            for (_, value) in root.attributes.iter_mut().filter(|(name, _)| name == "ID") {
                *value = "_another".to_owned();
            }
        }
        _ => {
            root.children
                .retain(|child| !matches!(child, Node::Element(element) if element.local() == "Issuer"));
        }
    }
}

/// All that has a prefix gets another one.
fn other_prefix(rng: &mut StdRng, root: &mut Element) {
    let (old, new) =
        [("samlp", "p"), ("samlp", "saml2p"), ("ds", "dsig"), ("saml", "a")].choose(rng).expect("some");
    for path in root.paths() {
        let element = root.at_mut(&path);
        if let Some(local) = element.name.strip_prefix(&format!("{old}:")) {
            element.name = format!("{new}:{local}");
        }
        for (name, _) in &mut element.attributes {
            if *name == format!("xmlns:{old}") {
                *name = format!("xmlns:{new}");
            }
        }
    }
}

fn more_status(rng: &mut StdRng, root: &mut Element) {
    let Some(path) = root.named("Status").first().cloned() else { return };
    let mut more = if rng.random_bool(0.5) {
        Element::new("samlp:StatusMessage", Vec::new())
    } else {
        Element::new("samlp:StatusDetail", Vec::new())
    };
    if more.local() == "StatusMessage" {
        more.children.push(Node::Raw("welcome".to_owned()));
    }
    root.at_mut(&path).children.push(Node::Element(more));
}
