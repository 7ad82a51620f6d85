//! The guides' texts with gaps: `{{name}}` is filled with the value of that name, `## Title {#id}` begins a section.
//! A gap without a value is an error, never an empty place.

use super::markdown::Markdown;
use std::collections::BTreeMap;
use thiserror::Error;

/// The values of the gaps by their names.
pub(super) type Values = BTreeMap<&'static str, Markdown>;

/// Why a text cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum TemplateError {
    /// A gap that nothing is given for.
    #[error("the guide has a gap {{{{{0}}}}} for which there is no value")]
    Unfilled(String),
    /// A gap without its end.
    #[error("the guide has a gap that does not end: {0}")]
    Unclosed(String),
    /// A section that another part of the program asks for.
    #[error("the guide has no section {0}")]
    NoSection(&'static str),
}

/// One section of a text, its gaps open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub id: &'static str,
    pub title: &'static str,
    pub body: &'static str,
}

/// What stands behind `# ` in the first line.
pub(super) fn title(text: &'static str) -> &'static str {
    text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
}

/// The sections of a text in their order; one without an id has an empty one.
pub(super) fn parts(text: &'static str) -> impl Iterator<Item = Part> {
    text.split("\n## ").skip(1).map(|part| {
        let (heading, body) = part.split_once('\n').unwrap_or((part, ""));
        let (title, id) = heading.split_once("{#").unwrap_or((heading, ""));
        Part { id: id.trim_end().trim_end_matches('}'), title: title.trim(), body: body.trim() }
    })
}

/// The text with its gaps filled.
pub(super) fn fill(text: &str, values: &Values) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, gap)) = rest.split_once("{{") {
        out.push_str(before);
        let (name, after) = gap
            .split_once("}}")
            .filter(|(name, _)| name.len() <= 40 && !name.contains('\n'))
            .ok_or_else(|| TemplateError::Unclosed(gap.chars().take(40).collect()))?;
        let value = values.get(name).ok_or_else(|| TemplateError::Unfilled(name.to_owned()))?;
        out.push_str(value.as_str());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_or_refused() {
        let values = Values::from([("a", Markdown::text("1")), ("b", Markdown::code("{{a}}"))]);
        assert_eq!(fill("x {{a}} {b} {{b}}.", &values).as_deref(), Ok("x 1 {b} `{{a}}`."));
        assert_eq!(fill("{{c}}", &values), Err(TemplateError::Unfilled("c".to_owned())));
        assert_eq!(fill("{{ a}}", &values), Err(TemplateError::Unfilled(" a".to_owned())));
        assert!(matches!(fill("x {{a", &values), Err(TemplateError::Unclosed(_))));
    }

    #[test]
    fn sections_begin_at_their_headings() {
        let text = "# All of it\n\nIgnored.\n\n## One {#one}\n\nBody.\n\n## Two {#two}\nMore\n";
        assert_eq!(title(text), "All of it");
        let found: Vec<Part> = parts(text).collect();
        assert_eq!(found[0], Part { id: "one", title: "One", body: "Body." });
        assert_eq!(found[1], Part { id: "two", title: "Two", body: "More" });
    }
}
