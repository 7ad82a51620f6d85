//! Just enough HTML for a client that fills in forms: tags, attributes, character references, text.

/// A form with the values it would send if submitted untouched by its first button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// As written; empty means the page's own address.
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The value of the first field of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The form with another value in a field; the field is added if there is none.
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, held)) => value.clone_into(held),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }
}

/// A link and what is shown for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub href: String,
    pub text: String,
}

enum Token<'a> {
    Open { name: String, attributes: Vec<(String, String)> },
    Close { name: String },
    Text(&'a str),
}

/// The forms of a page.
pub fn forms(page: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut form: Option<Form> = None;
    let mut has_button = false;
    let mut text_area: Option<(String, String)> = None;
    let mut select: Option<(String, Option<String>)> = None;
    for token in tokens(page) {
        match token {
            Token::Open { name, attributes } => {
                let get = |key: &str| attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
                if name == "form" {
                    let method = get("method").map_or("get".to_owned(), |method| method.to_ascii_lowercase());
                    form =
                        Some(Form { action: get("action").unwrap_or_default(), method, fields: Vec::new() });
                    has_button = false;
                }
                let Some(form) = &mut form else { continue };
                if get("disabled").is_some() {
                    continue;
                }
                let value = get("value").unwrap_or_default();
                match (name.as_str(), get("name")) {
                    ("input", Some(field)) => {
                        match get("type").unwrap_or_default().to_ascii_lowercase().as_str() {
                            "checkbox" | "radio" if get("checked").is_none() => {}
                            "checkbox" | "radio" => {
                                form.fields.push((field, get("value").unwrap_or("on".into())));
                            }
                            "button" | "reset" | "image" | "file" => {}
                            "submit" if std::mem::replace(&mut has_button, true) => {}
                            _ => form.fields.push((field, value)),
                        }
                    }
                    ("button", Some(field))
                        if get("type").is_none_or(|kind| kind == "submit")
                            && !std::mem::replace(&mut has_button, true) =>
                    {
                        form.fields.push((field, value));
                    }
                    ("textarea", Some(field)) => text_area = Some((field, String::new())),
                    ("select", Some(field)) => select = Some((field, None)),
                    ("option", _) => {
                        if let Some((_, chosen)) = &mut select
                            && (chosen.is_none() || get("selected").is_some())
                        {
                            *chosen = Some(value);
                        }
                    }
                    _ => {}
                }
            }
            Token::Text(text) => {
                if let Some((_, held)) = &mut text_area {
                    held.push_str(&decoded(text));
                }
            }
            Token::Close { name } => match name.as_str() {
                "form" => forms.extend(form.take()),
                "textarea" => {
                    if let (Some(form), Some(field)) = (&mut form, text_area.take()) {
                        form.fields.push(field);
                    }
                }
                "select" => {
                    if let (Some(form), Some((field, Some(value)))) = (&mut form, select.take()) {
                        form.fields.push((field, value));
                    }
                }
                _ => {}
            },
        }
    }
    forms.extend(form);
    forms
}

/// The links of a page.
pub fn links(page: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut open: Option<Link> = None;
    for token in tokens(page) {
        match token {
            Token::Open { name, attributes } if name == "a" => {
                let href = attributes.into_iter().find(|(key, _)| key == "href");
                open = href.map(|(_, href)| Link { href, text: String::new() });
            }
            Token::Close { name } if name == "a" => links.extend(open.take()),
            Token::Text(text) => {
                if let Some(link) = &mut open {
                    link.text = format!("{} {}", link.text, squeezed(&decoded(text))).trim().to_owned();
                }
            }
            _ => {}
        }
    }
    links
}

/// The words of a page, without what is not shown.
pub fn text(page: &str) -> String {
    let mut words = Vec::new();
    for token in tokens(page) {
        if let Token::Text(text) = token {
            words.push(squeezed(&decoded(text)));
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn tokens(page: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        if at > 0 {
            tokens.push(Token::Text(&rest[..at]));
        }
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
        } else if let Some(close) = rest.strip_prefix("</") {
            let end = close.find('>').unwrap_or(close.len());
            tokens.push(Token::Close { name: close[..end].trim().to_ascii_lowercase() });
            rest = close.get(end + 1..).unwrap_or("");
        } else if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            let (name, attributes, after) = tag(&rest[1..]);
            rest = after;
            if name == "script" || name == "style" {
                let close = format!("</{name}");
                let end = rest.to_ascii_lowercase().find(&close).unwrap_or(rest.len());
                rest = &rest[end..];
            }
            tokens.push(Token::Open { name, attributes });
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            rest = rest.find('>').map_or("", |end| &rest[end + 1..]);
        } else {
            tokens.push(Token::Text(&rest[..1]));
            rest = &rest[1..];
        }
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest));
    }
    tokens
}

/// Reads a start tag after its `<`: name, attributes, and what comes after its `>`.
fn tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let name_end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let name = text[..name_end].to_ascii_lowercase();
    let mut rest = &text[name_end..];
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (name, attributes, "");
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len()).max(1);
        let key = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let Some(after) = rest.strip_prefix('=') else {
            attributes.push((key, String::new()));
            continue;
        };
        let after = after.trim_start();
        let (value, after) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
            _ => after.split_at(after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len())),
        };
        attributes.push((key, decoded(value)));
        rest = after;
    }
}

/// Replaces character references.
fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest[1..].split_once(';').filter(|(name, _)| name.len() <= 8);
        let decoded = reference.and_then(|(name, after)| {
            let character = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "nbsp" => Some(' '),
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16),
                        None => number.parse(),
                    };
                    code.ok().and_then(char::from_u32)
                }
            };
            character.map(|character| (character, after))
        });
        if let Some((character, after)) = decoded {
            out.push(character);
            rest = after;
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out + rest
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
