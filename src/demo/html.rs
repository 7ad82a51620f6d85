//! Just enough HTML for the demo's browser: the forms of a page, and the words that somebody reads on it.

/// A form with the values it holds when the page is opened, and its buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// As written; empty means the page's own address.
    pub action: String,
    pub is_post: bool,
    /// Names and values, buttons not among them.
    pub fields: Vec<(String, String)>,
    /// Names and values of the buttons that have a name.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    /// Whether the form has a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }
}

enum Token<'a> {
    Open { name: String, attributes: Vec<(String, String)> },
    Close { name: String },
    Text(&'a str),
}

/// The forms of a page.
pub fn forms(page: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut inside = false;
    for token in Tokens(page) {
        match token {
            Token::Open { name, attributes } if name == "form" => {
                let get = |key| attribute(&attributes, key);
                let is_post = get("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                let action = get("action").unwrap_or_default().to_owned();
                forms.push(Form { action, is_post, fields: Vec::new(), buttons: Vec::new() });
                inside = true;
            }
            Token::Open { name, attributes } if inside && (name == "input" || name == "button") => {
                let get = |key| attribute(&attributes, key);
                let (Some(form), Some(field)) = (forms.last_mut(), get("name")) else { continue };
                let pair = (field.to_owned(), get("value").unwrap_or_default().to_owned());
                let kind = get("type").unwrap_or(if name == "button" { "submit" } else { "text" });
                match kind {
                    "submit" => form.buttons.push(pair),
                    "checkbox" | "radio" if get("checked").is_none() => {}
                    "button" | "reset" | "image" | "file" => {}
                    _ => form.fields.push(pair),
                }
            }
            Token::Close { name } if name == "form" => inside = false,
            _ => {}
        }
    }
    forms
}

/// The words between the first tag of this name and its end, without blanks at the edges; empty if there is none.
pub fn words_in(page: &str, tag: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut inside = false;
    for token in Tokens(page) {
        match token {
            Token::Open { name, .. } if name == tag => inside = true,
            Token::Close { name } if name == tag && inside => break,
            Token::Text(text) if inside => {
                words.extend(decoded(text).split_whitespace().map(str::to_owned));
            }
            _ => {}
        }
    }
    words.join(" ")
}

fn attribute<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// The rest of a page, read token by token. What stands in scripts and style sheets is skipped.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.0;
            let at = rest.find('<')?;
            if at > 0 {
                self.0 = &rest[at..];
                return Some(Token::Text(&rest[..at]));
            }
            if let Some(comment) = rest.strip_prefix("<!--") {
                self.0 = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let tag = &rest[1..];
            if let Some(close) = tag.strip_prefix('/') {
                let end = close.find('>').unwrap_or(close.len());
                self.0 = close.get(end + 1..).unwrap_or("");
                return Some(Token::Close { name: close[..end].trim().to_ascii_lowercase() });
            }
            if !tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.0 = tag.find('>').map_or("", |end| &tag[end + 1..]);
                continue;
            }
            let (name, attributes, after) = start_tag(tag);
            self.0 = after;
            if name == "script" || name == "style" {
                let close = format!("</{name}");
                self.0 = after.find(&close).map_or("", |end| &after[end..]);
            }
            return Some(Token::Open { name, attributes });
        }
    }
}

/// Reads a start tag behind its `<`: name, attributes, and what comes behind its `>`.
fn start_tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let name = text[..end].to_ascii_lowercase();
    let mut rest = &text[end..];
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (name, attributes, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        // At least one character is taken, so that nothing odd is read twice.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let stop = rest[first..].find(|c: char| c.is_whitespace() || "=>/".contains(c));
        let end = stop.map_or(rest.len(), |at| at + first);
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
    const LONGEST: usize = 8;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let reference = rest.split_once(';').filter(|(name, _)| name.len() <= LONGEST);
        let known = reference.and_then(|(name, after)| character(name).map(|c| (c, after)));
        if let Some((character, after)) = known {
            out.push(character);
            rest = after;
        } else {
            out.push('&');
        }
    }
    out + rest
}

fn character(name: &str) -> Option<char> {
    match name {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<!doctype html><title>T &amp; t</title><style>form{}</style><!-- <form> -->\
        <h1>Not  <em>signed</em> in</h1><form method=post action='/sso?a=1&amp;b=2'>\
        <input type=hidden name=SAMLRequest value=\"a+b/c=\"><input name=email value=\"&quot;x&#39;&#x3e;\">\
        <input type=checkbox name=keep><button name=person value=1>Ada</button>\
        <button name=person value='2'>Grace</button><button>Go</button></form><input name=outside>";

    #[test]
    fn a_form_is_read_as_a_browser_would_send_it() {
        let forms = forms(PAGE);
        assert_eq!(forms.len(), 1);
        let form = &forms[0];
        assert_eq!((form.action.as_str(), form.is_post), ("/sso?a=1&b=2", true));
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form.fields, [field("SAMLRequest", "a+b/c="), field("email", "\"x'>")]);
        assert_eq!(form.buttons, [field("person", "1"), field("person", "2")]);
        assert!(form.has("SAMLRequest") && !form.has("outside") && !form.has("keep"));
    }

    #[test]
    fn words_are_those_that_somebody_reads() {
        assert_eq!(words_in(PAGE, "h1"), "Not signed in");
        assert_eq!(words_in(PAGE, "title"), "T & t");
        assert_eq!(words_in(PAGE, "main"), "");
    }

    #[test]
    fn torn_pages_end_and_do_not_panic() {
        for end in 0..PAGE.len() {
            let Some(torn) = PAGE.get(..end) else { continue };
            let _ = (forms(torn), words_in(torn, "h1"));
        }
        for odd in ["<", "</", "<!", "<a =", "<a é=é", "<a ='", "<é>", "a<b>&#xffffffff;", "<script>"] {
            let _ = (forms(odd), words_in(odd, "b"));
        }
    }
}
