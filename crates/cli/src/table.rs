//! Aligned columns for people.
//!
//! Invariant: every line of a table has its columns where the header has them; a cell is one line, whatever is in it.
//! Widths are counted in characters: scripts whose characters are wider than one column shift what is right of them.

/// The spaces between two columns.
const GAP: usize = 2;
/// The longest a cell gets, in characters; the rest is what `--json` is for.
const CELL_CHARS_MAX: usize = 100;

/// Rows, mostly under a header.
#[derive(Debug)]
pub struct Table {
    /// Empty for a table without one.
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new<const N: usize>(header: [&'static str; N]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// A table of names and their values, without a header.
    pub fn of_facts<const N: usize>(facts: [(&str, String); N]) -> Self {
        let rows = facts.map(|(name, value)| vec![name.to_owned(), one_line(&value)]);
        Self { header: Vec::new(), rows: rows.to_vec() }
    }

    /// Adds a row: one cell for each column, from the left.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| one_line(cell)).collect());
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The header, if there is one.
    pub fn header(&self) -> Option<String> {
        let has_header = !self.header.is_empty();
        has_header.then(|| aligned(self.header.iter().copied(), &self.widths()))
    }

    /// Each row.
    pub fn lines(&self) -> Vec<String> {
        let widths = self.widths();
        let rows = self.rows.iter();
        rows.map(|row| aligned(row.iter().map(String::as_str), &widths)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.header.iter().map(|name| name.len()).collect();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

/// The cells at their columns, without spaces at the end.
fn aligned<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.zip(widths) {
        let missing = width.saturating_sub(cell.chars().count()) + GAP;
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', missing));
    }
    line.truncate(line.trim_end().len());
    line
}

/// `text` on one line of bounded length; what a terminal would obey is shown as an escape instead.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(CELL_CHARS_MAX));
    for (at, character) in text.chars().enumerate() {
        if at == CELL_CHARS_MAX {
            line.push_str("...");
            break;
        }
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &mut Table, cells: [&str; 3]) {
        table.row(cells.map(str::to_owned));
    }

    #[test]
    fn columns_stand_under_their_header_and_lines_end_with_their_text() {
        let mut table = Table::new(["KEY", "BY", "TTL"]);
        row(&mut table, ["a", "", "5m"]);
        row(&mut table, ["größer", "bob", ""]);
        row(&mut table, ["b", "", ""]);
        assert_eq!(table.lines(), ["a            5m", "größer  bob", "b"]);
        assert_eq!(table.header().as_deref(), Some("KEY     BY   TTL"));
        let facts = Table::of_facts([("pid", "7".to_owned()), ("socket", "/s".to_owned())]);
        assert_eq!(facts.lines(), ["pid     7", "socket  /s"]);
        assert_eq!(facts.header(), None);
    }

    #[test]
    fn a_cell_can_not_break_the_table_or_steer_the_terminal() {
        let mut table = Table::new(["A", "B", "C"]);
        row(&mut table, ["x\ny", "\u{1b}[2J", ""]);
        assert_eq!(table.lines().len(), 1);
        assert!(!table.lines().join("").contains('\u{1b}'));
        assert_eq!(one_line(&"ä".repeat(200)).chars().count(), CELL_CHARS_MAX + 3);
    }

    #[test]
    fn a_table_knows_that_it_has_no_rows() {
        let mut table = Table::new(["A", "B", "C"]);
        assert!(table.is_empty());
        row(&mut table, ["1", "2", "3"]);
        assert!(!table.is_empty());
    }
}
