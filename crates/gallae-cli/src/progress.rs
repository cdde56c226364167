//! Bars with the time left, drawn to standard error while somebody looks on.

use crate::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{fmt, time::Duration};

/// A bar. Where nobody looks on, nothing is drawn.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar that counts `unit`, labelled with what is being done.
    pub fn new(output: &Output, label: impl Into<String>, unit: &str) -> Self {
        let target = if output.is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = format!(
            "{{msg:<24}} {{bar:30}} {{human_pos}}/{{human_len}} {unit} {{percent:>3}} %  {{per_sec}}  {{eta}} left"
        );
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_message(label.into());
        Self { bar }
    }

    /// Says how far it is.
    pub fn set(&self, done: u64, total: u64) {
        self.bar.set_length(total.max(done));
        self.bar.set_position(done);
    }

    /// Says what is being done now.
    pub fn label(&self, label: impl Into<String>) {
        self.bar.set_message(label.into());
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bar").finish_non_exhaustive()
    }
}

/// A duration for people: `950 µs`, `12.4 ms`, `3.2 s`, `4 min 05 s`.
pub fn human_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        1_000_000..60_000_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        let told = [950, 12_400, 3_200_000, 245_000_000].map(|micros| human_duration(Duration::from_micros(micros)));
        assert_eq!(told, ["950 µs", "12.4 ms", "3.2 s", "4 min 05 s"]);
    }
}
