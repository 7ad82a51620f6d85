//! What the demo shows: chapters, steps with check marks, and a progress bar for what takes longer than a second.
//! On a terminal with color and movement; elsewhere as plain lines that a file or a test can be searched for.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};

use super::error::DemoError;

/// From here on somebody should see that something moves.
const LONG: Duration = Duration::from_secs(1);
/// Sentences are broken before this column.
const WIDTH: usize = 100;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// Standard output, as somebody reads it.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    terminal: bool,
}

impl Screen {
    /// Looks once whether standard output is a terminal.
    pub fn new() -> Self {
        Self { terminal: io::stdout().is_terminal() }
    }

    /// A line of its own in bold, with room above.
    pub fn chapter(self, title: &str) -> Result<(), DemoError> {
        write(&format!("\n{}\n", self.dress(BOLD, title)))
    }

    /// A step that went as it should.
    pub fn done(self, text: &str) -> Result<(), DemoError> {
        self.step(GREEN, "✓", "ok", text)
    }

    /// A refusal that belongs to the story.
    pub fn refused(self, text: &str) -> Result<(), DemoError> {
        self.step(YELLOW, "✗", "no", text)
    }

    fn step(self, color: &str, mark: &str, plain: &str, text: &str) -> Result<(), DemoError> {
        let mark = if self.terminal { self.dress(color, mark) } else { format!("{plain:<2}") };
        write(&format!("  {mark} {text}\n"))
    }

    /// A sentence below a step, broken into lines.
    pub fn sentence(self, text: &str) -> Result<(), DemoError> {
        let mut lines = String::new();
        for line in wrap(text, WIDTH - 6) {
            let _ = writeln!(lines, "      {}", self.dress(DIM, &line));
        }
        write(&lines)
    }

    /// A name and its value below a step, not broken, so that the value can be copied.
    pub fn fact(self, name: &str, value: &str) -> Result<(), DemoError> {
        write(&format!("      {} {value}\n", self.dress(DIM, &format!("{name:<15}"))))
    }

    /// A line to be pasted into a shell, alone on its line.
    pub fn command(self, about: &str, command: &str) -> Result<(), DemoError> {
        write(&format!("  {}\n  {}\n", self.dress(DIM, &format!("# {about}")), self.dress(CYAN, command)))
    }

    /// Does something; if it takes longer than a second, a terminal shows that it is under way.
    pub async fn during<T>(self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if !self.terminal {
            return work.await;
        }
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = tokio::time::sleep(LONG) => {}
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout())
            .with_finish(ProgressFinish::AndClear)
            .with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        let result = work.await;
        bar.finish_and_clear();
        result
    }

    /// Begins to count up to `total`.
    pub fn progress(self, total: u64, of_what: &'static str) -> Progress {
        let bar = self.terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stdout())
                .with_finish(ProgressFinish::AndClear);
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0} a second", state.per_sec());
            };
            let template =
                format!("    {{bar:40.green/dim}} {{pos}} of {{len}} {of_what}, {{rate}}, {{eta}} left");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.with_key("rate", rate).progress_chars("━╸─"));
            }
            bar
        });
        Progress { bar, of_what, total, done: 0, started: Instant::now(), told: Instant::now() }
    }

    fn dress(self, code: &str, text: &str) -> String {
        if self.terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

/// A count on its way.
pub struct Progress {
    bar: Option<ProgressBar>,
    of_what: &'static str,
    total: u64,
    done: u64,
    started: Instant,
    told: Instant,
}

impl Progress {
    /// One more is done. A terminal moves its bar; elsewhere a line is written each second.
    pub fn step(&mut self) -> Result<(), DemoError> {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return Ok(());
        }
        if self.told.elapsed() < LONG || self.done == self.total {
            return Ok(());
        }
        self.told = Instant::now();
        let rate = rate(self.done, self.started.elapsed());
        write(&format!("      {} of {} {}, {rate} a second\n", self.done, self.total, self.of_what))
    }

    /// Takes the bar away; gives how long it took and how many there were in a second.
    pub fn finish(self) -> (Duration, u64) {
        let took = self.started.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (took, rate(self.done, took))
    }
}

fn rate(done: u64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    done.saturating_mul(1000) / millis
}

/// A line as it is.
pub fn line(text: &str) -> Result<(), DemoError> {
    write(&format!("{text}\n"))
}

fn write(text: &str) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(DemoError::Output)
}

/// Breaks a sentence at blanks; a word longer than a line stands alone on one.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A number as people read it: `1,000`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_and_nothing_of_them_is_lost() {
        let text = "Expected: one TXT record named _postern-challenge.acme.test. Found: none.";
        let lines = wrap(text, 24);
        assert!(lines.iter().all(|line| line.len() <= 24 || !line.contains(' ')), "{lines:?}");
        assert_eq!(lines.join(" "), text);
    }

    #[test]
    fn numbers_and_rates_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(rate(1000, Duration::from_millis(2500)), 400);
        assert_eq!(rate(5, Duration::ZERO), 5000);
    }
}
