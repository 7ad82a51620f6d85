//! Figures of several rounds, their medians, and the table that a terminal shows.

use std::fmt::Write as _;

/// One figure of each round.
#[derive(Debug, Clone, Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }

    /// The middle one, or the mean of the two in the middle.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    /// Lowest and highest.
    fn range(&self) -> Option<(f64, f64)> {
        let sorted = self.sorted();
        Some((*sorted.first()?, *sorted.last()?))
    }

    /// Round by round against another: what counts, because both had the same noise.
    pub fn against(&self, yardstick: &Self) -> Self {
        Self(self.0.iter().zip(&yardstick.0).map(|(own, other)| own / other).collect())
    }
}

/// A number with as many digits as it is worth.
pub fn short(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "-".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn spread(samples: &Samples) -> String {
    match samples.range() {
        Some((low, high)) if samples.0.len() > 1 => {
            format!("{} ({}..{})", short(samples.median()), short(low), short(high))
        }
        _ => short(samples.median()),
    }
}

/// What is asked of a figure.
pub enum Target<'a> {
    /// Nothing: it stands for comparison.
    None,
    /// At least so many times the yardstick, named for people.
    AtLeast(f64, &'a Samples, &'a str),
    AtMost(f64, &'a str),
    /// At most so many times another figure of the same rounds, named for people.
    AtMostTimes(f64, &'a Samples, &'a str),
    /// Nothing, but how it stands to another figure is told.
    Beside(&'a Samples, &'a str),
}

/// The table, filled row by row.
pub struct Table {
    rows: Vec<[String; 8]>,
    pub missed: usize,
}

impl Table {
    pub fn new() -> Self {
        let head = ["what", "figure", "unit", "yardstick", "ratio", "target", "", "more"].map(str::to_owned);
        Self { rows: vec![head], missed: 0 }
    }

    pub fn row(&mut self, what: &str, unit: &str, figure: &Samples, target: &Target, more: String) {
        let (yardstick, ratio, wanted, met) = match target {
            Target::None => Default::default(),
            Target::AtLeast(share, other, name) => {
                let ratios = figure.against(other);
                let met = ratios.median() >= *share;
                let yardstick = format!("{name} {}", short(other.median()));
                (yardstick, spread(&ratios), format!(">= {share} x"), Some(met))
            }
            Target::AtMostTimes(most, other, name) => {
                let ratios = figure.against(other);
                let met = ratios.median() <= *most;
                let yardstick = format!("{name} {}", short(other.median()));
                (yardstick, spread(&ratios), format!("<= {most} x"), Some(met))
            }
            Target::Beside(other, name) => {
                let yardstick = format!("{name} {}", short(other.median()));
                (yardstick, spread(&figure.against(other)), String::new(), None)
            }
            Target::AtMost(most, unit) => {
                let met = figure.median() <= *most;
                (String::new(), short(figure.median() / most), format!("<= {most} {unit}"), Some(met))
            }
        };
        self.missed += usize::from(met == Some(false));
        let verdict = met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned();
        self.rows.push([
            what.to_owned(),
            spread(figure),
            unit.to_owned(),
            yardstick,
            ratio,
            wanted,
            verdict,
            more,
        ]);
    }

    /// A line between groups of rows.
    pub fn heading(&mut self, title: &str) {
        let mut row: [String; 8] = Default::default();
        row[0] = format!("-- {title}");
        self.rows.push(row);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths = [0; 8];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                let _ = write!(line, "{cell:<width$}  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
