//! Text that is about to stand in Markdown: what comes from outside can only get in escaped, so that a name with
//! Markdown or HTML in it stays a name.

/// A piece of Markdown that is safe to put anywhere within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markdown(String);

impl Markdown {
    /// Words of our own, Markdown included.
    pub(super) fn ours(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A text from outside as nothing but text: on one line, every punctuation mark that Markdown or HTML could
    /// take for its own escaped, invisible and direction-changing characters gone.
    pub(super) fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for character in one_line(text).chars() {
            match character {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                ',' | '\'' => out.push(character),
                mark if mark.is_ascii_punctuation() => out.extend(['\\', mark]),
                other => out.push(other),
            }
        }
        Self(out)
    }

    /// A value to be copied, as a code span; also fit for a cell of a table.
    pub(super) fn code(value: &str) -> Self {
        let value = one_line(value).replace('|', "\\|");
        if value.is_empty() {
            return Self("–".to_owned());
        }
        let longest = value.split(|character| character != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest + 1);
        let pad = if value.starts_with('`') || value.ends_with('`') { " " } else { "" };
        Self(format!("{fence}{pad}{value}{pad}{fence}"))
    }

    /// The Markdown itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table with these headings; the cells are single lines already.
pub(super) fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [Markdown; COLUMNS]>,
) -> Markdown {
    let line = |cells: &[&str]| format!("| {} |", cells.join(" | "));
    let mut lines = vec![line(&headings), line(&[" --- "; COLUMNS]).replace(' ', "")];
    lines.extend(rows.into_iter().map(|row| line(&row.each_ref().map(Markdown::as_str))));
    Markdown(lines.join("\n"))
}

/// Without control characters and those that nobody sees; every run of blanks is one space.
fn one_line(text: &str) -> String {
    let hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    let shown = text.chars().filter(|c| !hidden(*c)).map(|c| if c.is_control() { ' ' } else { c });
    shown.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        let text = |text: &str| Markdown::text(text).as_str().to_owned();
        assert_eq!(text("Acme, O'Neill"), "Acme, O'Neill");
        assert_eq!(text("a\n\n# b\u{2028}c\u{202e}d"), "a \\# b cd");
        assert_eq!(text("<img src=x>&amp;"), "&lt;img src\\=x&gt;&amp;amp\\;");
        assert_eq!(
            text("[x](javascript:1) `y` |z| **b** {{entity_id}}"),
            "\\[x\\]\\(javascript\\:1\\) \\`y\\` \\|z\\| \\*\\*b\\*\\* \\{\\{entity\\_id\\}\\}"
        );
        assert_eq!(text("https://evil.example"), "https\\:\\/\\/evil\\.example");
    }

    #[test]
    fn values_stay_in_their_code_span() {
        let code = |value: &str| Markdown::code(value).as_str().to_owned();
        assert_eq!(code("https://a.example/x_y"), "`https://a.example/x_y`");
        assert_eq!(code("a``b|c"), "```a``b\\|c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(" \n"), "–");
    }

    #[test]
    fn tables_have_a_line_for_each_row() {
        let cell = |text: &str| Markdown::text(text);
        let shown = table(["A", "B"], [[cell("1|"), cell("2")]]);
        assert_eq!(shown.as_str(), "| A | B |\n|---|---|\n| 1\\| | 2 |");
    }
}
