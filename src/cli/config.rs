//! `postern config check` and `postern config show`.
//!
//! `show` prints TOML that can be pasted into a file, each value followed by its source; it prints even
//! when something is wrong, and then fails like `check`, because that is when one wants to look.

use std::fmt::Write as _;
use std::path::Path;

use super::args::ConfigCommand;
use super::{CliError, out};
use crate::config::{Layers, Setting};

/// Exit code 3 when anything is wrong with the configuration.
pub fn run(command: &ConfigCommand, file: Option<&Path>) -> Result<(), CliError> {
    let layers = Layers::gather(file);
    match command {
        ConfigCommand::Check => {
            layers.config()?;
            let over = layers.file().map_or_else(
                || "no file over the built-in defaults".to_owned(),
                |path| format!("{} over the built-in defaults", path.display()),
            );
            out::line(format!("The configuration is fine ({over})."))
        }
        ConfigCommand::Show => {
            out::text(listing(&layers.settings()))?;
            layers.config()?;
            Ok(())
        }
    }
}

fn listing(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut current = "";
    for setting in settings {
        let (section, name) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        if section != current {
            let _ = write!(text, "\n[{section}]\n");
            current = section;
        }
        let assignment = format!("{name} = {}", setting.shown);
        let _ = writeln!(text, "{assignment:<44} # {}", setting.source);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::listing;
    use crate::config::{Config, Layers};

    #[test]
    fn the_listing_is_itself_a_configuration() {
        let settings = Layers::of_text("[dns]\nnameservers = [\"192.0.2.1:53\"]").settings();
        let text = listing(&settings);
        assert!(text.contains("# given text"), "{text}");
        let again = Config::from_toml_str(&text).unwrap();
        assert_eq!(again.dns.nameservers.len(), 1);
    }
}
