//! The few colours of our reports, and text helpers that count columns.

use anstyle::{AnsiColor, Style};
use harness_core::Verdict;

/// Whether escape sequences for colours are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    #[default]
    Never,
    /// With colours.
    Always,
}

impl Color {
    /// Colours where this is true.
    #[must_use]
    pub fn when(wanted: bool) -> Self {
        if wanted { Self::Always } else { Self::Never }
    }

    fn paint(self, style: Style, text: &str) -> String {
        match self {
            Self::Never => text.to_owned(),
            Self::Always => format!("{style}{text}{style:#}"),
        }
    }

    /// A heading, or what the eye should find first.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What can be passed over.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What went wrong.
    #[must_use]
    pub fn alarm(self, text: &str) -> String {
        self.paint(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), text)
    }

    /// A text in the colour of a verdict.
    #[must_use]
    pub fn verdict(self, verdict: Verdict, text: &str) -> String {
        let color = match verdict {
            Verdict::Held => AnsiColor::Green,
            Verdict::Skipped => AnsiColor::Cyan,
            Verdict::Vacuous => AnsiColor::Yellow,
            Verdict::Broken => AnsiColor::Red,
            Verdict::Faulty => AnsiColor::Magenta,
        };
        self.paint(Style::new().bold().fg_color(Some(color.into())), text)
    }
}

/// A text cut to so many characters, the last of them an ellipsis where something is missing.
#[must_use]
pub fn clip(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Words broken into lines of at most so many characters, each after an indent.
#[must_use]
pub fn wrap(text: &str, columns: usize, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(format!("{indent}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{indent}{line}"));
    }
    lines.join("\n")
}

/// `1 process`, `2 processes`: a count with its noun.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Rows with their columns aligned by spaces; the last column is not padded.
#[must_use]
pub fn table(rows: &[Vec<String>], gap: &str) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < row.len() {
                line.push_str(&" ".repeat(widths[column] - cell.chars().count()));
                line.push_str(gap);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Color, clip, table, wrap};
    use harness_core::Verdict;

    #[test]
    fn plain_text_has_no_escapes() {
        assert_eq!(Color::Never.verdict(Verdict::Broken, "broken"), "broken");
        assert_ne!(Color::Always.verdict(Verdict::Broken, "broken"), "broken");
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clip("größer", 6), "größer");
        assert_eq!(clip("größer", 5), "größ…");
    }

    #[test]
    fn wrapping_never_loses_a_word() {
        assert_eq!(wrap("a bb ccc dddd", 6, "> "), "> a bb\n> ccc\n> dddd");
    }

    #[test]
    fn tables_align() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows, "  "), "a    b\nccc  d\n");
    }
}
