//! `POSTERN_…` variables and the files that `_FILE` variables name.
//!
//! A variable that belongs to no setting is refused by name, except the ones that Kubernetes puts into
//! every container beside a service called "postern". A value takes the kind of its setting, so a key
//! made of digits stays text.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use figment::value::Value;

use super::layers::{Kind, Layer, SECRETS, suggestion};
use super::problems::Problem;

const PREFIX: &str = "POSTERN_";
/// Names the configuration file; it is not a setting itself.
const FILE_VARIABLE: &str = "POSTERN_CONFIG";
/// What a secret's file may hold at most; a larger one is surely the wrong file.
const LARGEST_SECRET: u64 = 64 * 1024;

/// The variables of a process that begin with `POSTERN_`.
pub(super) struct Variables(BTreeMap<String, OsString>);

impl Variables {
    pub(super) fn new(all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(
            all.into_iter()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .filter(|(name, _)| name.starts_with(PREFIX))
                .collect(),
        )
    }

    /// The path in `POSTERN_CONFIG`, unless empty.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.0.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

/// The one look at the environment.
pub(super) fn snapshot() -> Variables {
    Variables::new(std::env::vars_os())
}

/// A layer for each variable, and for each file named by one; or what is wrong with it. Files come last,
/// because they win.
pub(super) fn read(variables: &Variables, known: &[(String, Kind)]) -> Vec<Result<Layer, Problem>> {
    let mut plain = Vec::new();
    let mut files = Vec::new();
    for (name, value) in &variables.0 {
        if name == FILE_VARIABLE || from_kubernetes(name) {
            continue;
        }
        let problem = |message: String| {
            Err(Problem { subject: name.clone(), message, source: "environment variable".to_owned() })
        };
        if let Some((key, kind)) = known.iter().find(|(key, _)| variable_of(key) == *name) {
            plain.push(match value.to_str() {
                Some(text) => match typed(text, *kind) {
                    Some(value) => Ok(Layer::of(key, value, format!("variable {name}"))),
                    None => problem(format!("expects {}, found {text:?}", kind.name())),
                },
                None => problem("is not valid UTF-8".to_owned()),
            });
        } else if let Some(key) = name
            .strip_suffix("_FILE")
            .and_then(|name| known.iter().map(|(key, _)| key).find(|key| variable_of(key) == name))
        {
            let beside = variable_of(key);
            if value.is_empty() {
                continue;
            }
            if !SECRETS.contains(&key.as_str()) {
                files.push(problem(format!("is not read: only secrets come from files; set {beside}")));
            } else if variables.0.get(&beside).is_some_and(|value| !value.is_empty()) {
                files.push(problem(format!("stands beside {beside}; remove one of the two")));
            } else {
                let path = Path::new(value);
                files.push(match read_secret(path) {
                    Ok(text) => Ok(Layer::of(
                        key,
                        Value::from(text),
                        format!("file {}, named by {name}", path.display()),
                    )),
                    Err(why) => problem(format!("names {}, which cannot be used: {why}", path.display())),
                });
            }
        } else {
            plain.push(problem(format!("belongs to no setting{}", nearest(name, known))));
        }
    }
    plain.extend(files);
    plain
}

/// `http.listen` is `POSTERN_HTTP__LISTEN`.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn nearest(name: &str, known: &[(String, Kind)]) -> String {
    let as_variables: Vec<(String, Kind)> =
        known.iter().map(|(key, kind)| (variable_of(key), *kind)).collect();
    suggestion(name, &as_variables)
}

/// Service links: `POSTERN_SERVICE_HOST`, `POSTERN_SERVICE_PORT…`, `POSTERN_PORT`, `POSTERN_PORT_8080_TCP…`.
fn from_kubernetes(name: &str) -> bool {
    !name.contains("__")
        && ["SERVICE_HOST", "SERVICE_PORT", "PORT"].iter().any(|link| {
            name[PREFIX.len()..]
                .strip_prefix(link)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
}

fn typed(text: &str, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Number => text.trim().parse::<i64>().ok().map(Value::from),
        Kind::List => Some(Value::from(
            text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect::<Vec<_>>(),
        )),
        _ => Some(Value::from(text)),
    }
}

/// The content without the line end that editors add.
fn read_secret(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(LARGEST_SECRET + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > LARGEST_SECRET {
        return Err(format!("it is larger than {LARGEST_SECRET} bytes"));
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}
