//! Other people's service providers: python3-saml and pysaml2, in one Python process that reads response after response.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::python;
use super::scratch::Scratch;

/// Whom a library read in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub name_id: String,
    pub format: String,
    pub session_index: Option<String>,
    /// Without those that say nothing; of one name, all values in order.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// The running process; ends with this handle.
pub struct Readers {
    child: Child,
    /// Its end is the end of the process.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: Scratch,
}

impl Readers {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When Python or the libraries are missing, or make nothing of what they are told.
    pub fn start(told: &Value) -> Self {
        let folder = Scratch::new("readers");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/saml_readers.py");
        let errors = std::fs::File::create(folder.path().join("errors")).expect("a file");
        let mut child = Command::new(python::venv().join("bin/python"))
            .arg(script)
            .env("PYTHONUTF8", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("python");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut readers = Self { child, input, output, folder };
        let mut told = told.clone();
        told["folder"] = Value::from(readers.folder.path().display().to_string());
        let ready = readers.ask(&told.to_string());
        assert!(ready["ready"].is_string(), "{ready}");
        readers
    }

    /// What each library makes of the value of the form field: whom it read, or why it refuses.
    pub fn read(&mut self, form_value: &str) -> BTreeMap<String, Result<Reading, String>> {
        let Value::Object(said) = self.ask(form_value) else { panic!("no object") };
        said.into_iter().map(|(name, value)| (name, reading(&value))).collect()
    }

    fn ask(&mut self, line: &str) -> Value {
        assert!(!line.contains('\n'), "{line}");
        let input = self.input.as_mut().expect("a pipe");
        let sent = writeln!(input, "{line}").and_then(|()| input.flush());
        let mut answer = String::new();
        let got = self.output.read_line(&mut answer);
        if sent.is_err() || got.is_err() || answer.is_empty() {
            let errors = std::fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
            panic!("the readers ended: {errors}");
        }
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

fn reading(value: &Value) -> Result<Reading, String> {
    if let Some(refused) = value["refused"].as_str() {
        return Err(refused.to_owned());
    }
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let attributes = value["attributes"].as_object().expect("attributes").iter().map(|(name, values)| {
        let values = values.as_array().expect("values").iter();
        (name.clone(), values.map(|value| value.as_str().expect("text").to_owned()).collect())
    });
    Ok(Reading {
        name_id: text("name_id").expect("a subject"),
        format: text("format").unwrap_or_default(),
        session_index: text("session_index"),
        attributes: attributes.collect(),
    })
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
