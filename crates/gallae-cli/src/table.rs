//! Tables for people. Columns align by display width, so that 갈래 takes four places.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use serde_json::Value;
use std::fmt;

/// Most characters of a cell; `--json` has all of them.
const LONGEST: usize = 120;

/// A table with a header.
pub struct Table {
    table: comfy_table::Table,
    empty: &'static str,
}

impl Table {
    /// A table with these columns.
    pub fn new<const N: usize>(columns: [&str; N]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        // Lines are never wrapped: what is printed can be copied.
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.force_no_tty();
        table.set_header(columns.map(str::to_owned).to_vec());
        Self { table, empty: "nothing" }
    }

    /// Aligns these columns, from 0, to the right: numbers.
    #[must_use]
    pub fn numbers(mut self, columns: &[usize]) -> Self {
        for column in columns {
            if let Some(column) = self.table.column_mut(*column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// What is said instead of a table without rows.
    #[must_use]
    pub fn or_say(mut self, empty: &'static str) -> Self {
        self.empty = empty;
        self
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.table.add_row(cells.to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.table.is_empty() { f.write_str(self.empty) } else { self.table.fmt(f) }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("rows", &self.table.row_count()).finish_non_exhaustive()
    }
}

/// The value at a JSON pointer as a cell: numbers in groups, what is absent as a dash.
pub fn cell(json: &Value, pointer: &str) -> String {
    match json.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => one_line(text),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(whole) => grouped(whole),
            None => number.as_f64().map_or_else(|| number.to_string(), |float| format!("{float:.1}")),
        },
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// A number with its thousands apart: `16,985`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An RFC 3339 time without its microseconds: `2026-01-31 09:30:00`.
pub fn short_time(text: &str) -> String {
    match (text.get(..19), text.ends_with('Z')) {
        (Some(seconds), true) => seconds.replace('T', " "),
        _ => text.to_owned(),
    }
}

/// What people typed may be long, and hold line feeds or marks that turn the direction of writing; a cell has one line.
fn one_line(text: &str) -> String {
    let unruly = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut line: String = text.chars().take(LONGEST).map(|c| if unruly(c) { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use serde_json::json;

    #[test]
    fn korean_and_latin_columns_end_at_the_same_place() {
        let mut table = Table::new(["title", "author", "stock"]).numbers(&[2]);
        table.row(["채식주의자".into(), "한강".into(), grouped(12)]);
        table.row(["The Hunger Games (헝거 게임)".into(), "Suzanne Collins".into(), grouped(1_234_567)]);
        assert_snapshot!(table, @"
        ┌──────────────────────────────┬─────────────────┬───────────┐
        │ title                        ┆ author          ┆     stock │
        ╞══════════════════════════════╪═════════════════╪═══════════╡
        │ 채식주의자                   ┆ 한강            ┆        12 │
        │ The Hunger Games (헝거 게임) ┆ Suzanne Collins ┆ 1,234,567 │
        └──────────────────────────────┴─────────────────┴───────────┘
        ");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(Table::new(["a"]).or_say("no orders yet").to_string(), "no orders yet");
    }

    #[test]
    fn cells_show_what_is_there_and_a_dash_for_what_is_not() {
        let json = json!({"n": -16985, "f": 0.25, "t": "a\nb", "b": true, "none": null});
        assert_eq!(["/n", "/f", "/t", "/b", "/none", "/x"].map(|at| cell(&json, at)), ["-16,985", "0.2", "a b", "yes", "-", "-"]);
        let long = cell(&json!("가".repeat(200)), "");
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
        assert_eq!(cell(&json!("a\u{202e}b"), ""), "a b");
        assert_eq!(short_time("2026-01-31T09:30:00.123456Z"), "2026-01-31 09:30:00");
        assert_eq!(short_time("yesterday"), "yesterday");
    }
}
