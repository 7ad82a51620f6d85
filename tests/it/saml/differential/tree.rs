//! An XML document that can be bent: what is written comes out as it went in, unless somebody changed it.

/// An element, and how it is spelled.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    /// Names and values as they stand in the document, namespace declarations among them.
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
    pub spelling: Spelling,
}

/// What canonicalization makes no difference of.
#[derive(Debug, Clone)]
pub struct Spelling {
    pub quote: char,
    /// Between the attributes.
    pub gap: &'static str,
    /// In front of the end of the start tag.
    pub tail: &'static str,
    /// Whether an element without children has an end tag.
    pub ends: bool,
}

#[derive(Debug, Clone)]
pub enum Node {
    Element(Element),
    /// Whatever else, as it stands in the document: text, comments, instructions.
    Raw(String),
}

/// Where an element is: the index among the children, from the root on.
pub type Path = Vec<usize>;

impl Element {
    /// Reads a document of the forging IdP: no comments, no instructions, quotes of one kind.
    pub fn read(text: &str) -> Self {
        let mut open: Vec<Self> = Vec::new();
        let mut rest = text;
        loop {
            let at = rest.find('<').expect("an end");
            if at > 0 {
                let around = open.last_mut().expect("no text outside");
                around.children.push(Node::Raw(rest[..at].to_owned()));
            }
            let end = rest[at..].find('>').expect("the end of a tag") + at;
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            let done = if tag.starts_with('/') {
                let mut element = open.pop().expect("an open element");
                element.spelling.ends = true;
                element
            } else {
                let (body, empty) = tag.strip_suffix('/').map_or((tag, false), |body| (body, true));
                let element = Self::from_tag(body);
                if !empty {
                    open.push(element);
                    continue;
                }
                element
            };
            match open.last_mut() {
                Some(around) => around.children.push(Node::Element(done)),
                None => return done,
            }
        }
    }

    fn from_tag(tag: &str) -> Self {
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((key, behind)) = rest.trim_start().split_once("=\"") {
            let (value, behind) = behind.split_once('"').expect("an end quote");
            attributes.push((key.to_owned(), value.to_owned()));
            rest = behind;
        }
        Self::new(name, attributes)
    }

    pub fn new(name: &str, attributes: Vec<(String, String)>) -> Self {
        let spelling = Spelling { quote: '"', gap: " ", tail: "", ends: false };
        Self { name: name.to_owned(), attributes, children: Vec::new(), spelling }
    }

    /// The document again.
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.push(&mut out);
        out
    }

    fn push(&self, out: &mut String) {
        out.extend(["<", &self.name]);
        for (name, value) in &self.attributes {
            let quote = if value.contains(self.spelling.quote) { '"' } else { self.spelling.quote };
            out.extend([self.spelling.gap, name, "="]);
            out.push(quote);
            out.push_str(value);
            out.push(quote);
        }
        out.push_str(self.spelling.tail);
        if self.children.is_empty() && !self.spelling.ends {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.push(out),
                Node::Raw(text) => out.push_str(text),
            }
        }
        out.extend(["</", &self.name, self.spelling.tail, ">"]);
    }

    /// The name without its prefix.
    pub fn local(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or_default()
    }

    /// Where all elements are, the root first.
    pub fn paths(&self) -> Vec<Path> {
        let mut found = vec![Vec::new()];
        self.push_paths(&mut Vec::new(), &mut found);
        found
    }

    fn push_paths(&self, here: &mut Path, found: &mut Vec<Path>) {
        for (index, child) in self.children.iter().enumerate() {
            if let Node::Element(element) = child {
                here.push(index);
                found.push(here.clone());
                element.push_paths(here, found);
                here.pop();
            }
        }
    }

    /// Where the elements of this local name are.
    pub fn named(&self, local: &str) -> Vec<Path> {
        let mut paths = self.paths();
        paths.retain(|path| self.at(path).local() == local);
        paths
    }

    pub fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |element, index| match &element.children[*index] {
            Node::Element(child) => child,
            Node::Raw(text) => panic!("no element but {text:?}"),
        })
    }

    pub fn at_mut(&mut self, path: &[usize]) -> &mut Self {
        path.iter().fold(self, |element, index| match &mut element.children[*index] {
            Node::Element(child) => child,
            Node::Raw(text) => panic!("no element but {text:?}"),
        })
    }

    /// Takes an element out; the root stays where it is.
    pub fn take(&mut self, path: &[usize]) -> Option<Self> {
        let (last, around) = path.split_last()?;
        match self.at_mut(around).children.remove(*last) {
            Node::Element(element) => Some(element),
            Node::Raw(text) => panic!("no element but {text:?}"),
        }
    }

    /// Calls for each piece of text in here.
    pub fn texts(&mut self) -> Vec<&mut String> {
        let mut found = Vec::new();
        for child in &mut self.children {
            match child {
                Node::Element(element) => found.extend(element.texts()),
                Node::Raw(text) => found.push(text),
            }
        }
        found
    }
}
