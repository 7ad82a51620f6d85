//! The layers of settings and their order, by figment: every value keeps the name of its source.
//!
//! Names and kinds are checked here against the built-in file, which has every key that exists; ranges
//! and formats are checked by the sections. A value that is refused does not enter its layer, so that the
//! rest can still be checked in the same run.

use std::path::{Path, PathBuf};

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::environment::{self, Variables};
use super::problems::{Checker, ConfigError, Problem};
use super::{BUILT_IN, Config, Raw, database};

/// Keys whose values are never shown and may come from a file named by a `_FILE` variable.
pub(super) const SECRETS: [&str; 2] = ["database.url", "security.installation_key"];

/// The file that is read when none is named.
const USUAL_FILE: &str = "postern.toml";

const BUILT_IN_SOURCE: &str = "built-in default";

/// All layers, read but not yet turned into a [`Config`].
pub struct Layers {
    figment: Figment,
    defaults: Dict,
    problems: Vec<Problem>,
    file: Option<PathBuf>,
}

/// One value as it counts, for `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `http.listen`
    pub key: String,
    /// As TOML; secrets hidden.
    pub shown: String,
    pub source: String,
}

impl Layers {
    /// Reads the built-in defaults, the file and this process's environment.
    pub fn gather(file: Option<&Path>) -> Self {
        Self::from_sources(file, &environment::snapshot())
    }

    /// The defaults with `text` over them and nothing else.
    pub fn of_text(text: &str) -> Self {
        let mut layers = Self::built_in();
        layers.add_text(text, "given text");
        layers
    }

    /// As [`Layers::gather`], with the environment given.
    pub(super) fn from_sources(file: Option<&Path>, variables: &Variables) -> Self {
        let mut layers = Self::built_in();
        let named = file
            .map(|path| (path.to_owned(), "named by --config"))
            .or_else(|| variables.config_file().map(|path| (path, "named by POSTERN_CONFIG")));
        let found = Path::new(USUAL_FILE);
        let chosen = named.or_else(|| found.is_file().then(|| (found.to_owned(), "in the current folder")));
        if let Some((path, why)) = chosen {
            match std::fs::read_to_string(&path) {
                Ok(text) => layers.add_text(&text, &format!("file {}", path.display())),
                Err(error) => layers.problems.push(Problem {
                    subject: path.display().to_string(),
                    message: format!("cannot be read: {error}"),
                    source: why.to_owned(),
                }),
            }
            layers.file = Some(path);
        }
        let known = layers.known();
        for outcome in environment::read(variables, &known) {
            match outcome {
                Ok(layer) => layers.figment = std::mem::take(&mut layers.figment).merge(layer),
                Err(problem) => layers.problems.push(problem),
            }
        }
        layers
    }

    /// The file that was read, or should have been.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The typed settings, or everything that is wrong with them.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut problems = self.problems.clone();
        match self.figment.extract::<Raw>() {
            Ok(raw) => {
                let source_of = |key: &str| self.source_of(key);
                let mut checker = Checker::new(&source_of);
                let config = Config::check(&raw, &mut checker);
                problems.extend(checker.into_problems());
                if problems.is_empty() {
                    return Ok(config);
                }
            }
            Err(error) => problems.extend(error.into_iter().map(|error| Problem {
                subject: error.path.join("."),
                message: format!("cannot be used: {}", error.kind),
                source: error.metadata.map_or_else(String::new, |metadata| metadata.name.into_owned()),
            })),
        }
        Err(ConfigError { problems })
    }

    /// Every value that counts with its source, sections after the keys outside of them.
    pub fn settings(&self) -> Vec<Setting> {
        let (outside, within): (Vec<_>, Vec<_>) =
            self.known().into_iter().partition(|(key, _)| !key.contains('.'));
        outside
            .into_iter()
            .chain(within)
            .filter_map(|(key, _)| {
                let value = self.figment.find_value(&key).ok()?;
                Some(Setting { shown: shown(&key, &value), source: self.source_of(&key), key })
            })
            .collect()
    }

    fn built_in() -> Self {
        let mut problems = Vec::new();
        let defaults = parse(BUILT_IN, BUILT_IN_SOURCE).unwrap_or_else(|problem| {
            problems.push(problem);
            Dict::new()
        });
        let figment = Figment::from(Layer { source: BUILT_IN_SOURCE.to_owned(), values: defaults.clone() });
        Self { figment, defaults, problems, file: None }
    }

    fn add_text(&mut self, text: &str, source: &str) {
        match parse(text, source) {
            Ok(given) => {
                let known = self.known();
                let values = keep_known(&self.defaults, given, "", source, &known, &mut self.problems);
                let layer = Layer { source: source.to_owned(), values };
                self.figment = std::mem::take(&mut self.figment).merge(layer);
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Every key with the kind of its value.
    fn known(&self) -> Vec<(String, Kind)> {
        let mut known = Vec::new();
        flatten(&self.defaults, "", &mut known);
        known
    }

    fn source_of(&self, key: &str) -> String {
        self.figment
            .find_metadata(key)
            .map_or_else(|| BUILT_IN_SOURCE.to_owned(), |metadata| metadata.name.clone().into_owned())
    }
}

/// Values from one source.
pub(super) struct Layer {
    pub(super) source: String,
    pub(super) values: Dict,
}

impl Layer {
    /// One value under a dotted key.
    pub(super) fn of(key: &str, value: Value, source: String) -> Self {
        let values = match key.split_once('.') {
            Some((section, name)) => {
                let inner = Dict::from([(name.to_owned(), value)]);
                Dict::from([(section.to_owned(), Value::Dict(Tag::Default, inner))])
            }
            None => Dict::from([(key.to_owned(), value)]),
        };
        Self { source, values }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// The kinds of value that settings have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    List,
    Section,
    /// Nothing that any setting is.
    Other(&'static str),
}

impl Kind {
    fn of(value: &Value) -> Self {
        match value {
            Value::String(..) => Self::Text,
            Value::Num(_, number) if number.to_f64().is_none() => Self::Number,
            Value::Num(..) => Self::Other("a decimal number"),
            Value::Array(_, entries) if entries.iter().all(|entry| matches!(entry, Value::String(..))) => {
                Self::List
            }
            Value::Array(..) => Self::Other("a list with something else than text in it"),
            Value::Dict(..) => Self::Section,
            Value::Bool(..) => Self::Other("true or false"),
            _ => Self::Other("something else"),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text in quotes",
            Self::Number => "a whole number",
            Self::List => "a list of texts",
            Self::Section => "a section",
            Self::Other(name) => name,
        }
    }
}

/// Only the message and the line of a syntax error: its excerpt could show a secret.
fn parse(text: &str, source: &str) -> Result<Dict, Problem> {
    Toml::from_str::<Dict>(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let message = error.message().lines().next().unwrap_or("syntax error").to_owned();
        Problem {
            subject: format!("line {line}"),
            message: format!("is not TOML: {message}"),
            source: source.to_owned(),
        }
    })
}

fn flatten(dict: &Dict, prefix: &str, into: &mut Vec<(String, Kind)>) {
    for (name, value) in dict {
        let key = join(prefix, name);
        match value {
            Value::Dict(_, inner) => flatten(inner, &key, into),
            other => into.push((key, Kind::of(other))),
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn keep_known(
    defaults: &Dict,
    given: Dict,
    prefix: &str,
    source: &str,
    known: &[(String, Kind)],
    problems: &mut Vec<Problem>,
) -> Dict {
    let mut kept = Dict::new();
    for (name, value) in given {
        let key = join(prefix, &name);
        let mut refuse = |message: String| {
            problems.push(Problem { subject: key.clone(), message, source: source.to_owned() });
        };
        let Some(default) = defaults.get(&name) else {
            refuse(format!("is not a setting{}", suggestion(&key, known)));
            continue;
        };
        let (expected, found) = (Kind::of(default), Kind::of(&value));
        if expected != found {
            let excerpt = match value.as_str() {
                Some(text) if !SECRETS.contains(&key.as_str()) => format!(" ({text:?})"),
                _ => String::new(),
            };
            refuse(format!("expects {}, found {}{excerpt}", expected.name(), found.name()));
            continue;
        }
        let value = match (default, value) {
            (Value::Dict(_, inner), Value::Dict(tag, given)) => {
                Value::Dict(tag, keep_known(inner, given, &key, source, known, problems))
            }
            (_, value) => value,
        };
        kept.insert(name, value);
    }
    kept
}

/// `; did you mean …?`, or nothing where no key is near.
pub(super) fn suggestion(key: &str, known: &[(String, Kind)]) -> String {
    let plain = |text: &str| text.replace(['.', '_', '-'], "");
    let wanted = plain(key);
    known
        .iter()
        .filter_map(|(candidate, _)| {
            let last = candidate.rsplit('.').next().unwrap_or(candidate);
            let distance = edits(&wanted, &plain(candidate)).min(edits(&wanted, &plain(last)) + 1);
            (distance <= 3).then_some((distance, candidate))
        })
        .min()
        .map_or_else(
            || "; `postern config show` lists all that exist".to_owned(),
            |(_, candidate)| format!("; did you mean {candidate}?"),
        )
}

/// How many letters must be added, removed or replaced to get from one text to the other.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

fn shown(key: &str, value: &Value) -> String {
    match (key, value) {
        ("database.url", Value::String(_, text)) => quoted(&database::masked_url(text)),
        (_, Value::String(_, text)) if SECRETS.contains(&key) && !text.is_empty() => quoted("(hidden)"),
        (_, Value::String(_, text)) => quoted(text),
        (_, Value::Num(_, number)) => number.to_i128().map_or_else(String::new, |number| number.to_string()),
        (_, Value::Array(_, entries)) => {
            let entries: Vec<String> = entries.iter().filter_map(Value::as_str).map(quoted).collect();
            format!("[{}]", entries.join(", "))
        }
        _ => String::new(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
