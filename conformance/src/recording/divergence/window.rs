//! A part of a long line with marks under it.

use std::ops::Range;

/// The longest part of a line that is shown, in characters.
const WIDTH: usize = 160;
/// How much of it stands before the first mark.
const LEAD: usize = 50;

/// What to show of `line`, and what to print below it: `^` under each of the byte ranges `marks`.
/// What is around the character `anchor` is shown in any case. Characters are taken to be one column
/// wide.
pub(super) fn window(line: &str, marks: &[Range<usize>], anchor: usize) -> (String, String) {
    let marked = |byte: usize| marks.iter().any(|range| range.contains(&byte));
    let columns: Vec<(char, bool)> = line
        .char_indices()
        .map(|(byte, character)| (character, marked(byte)))
        .collect();
    let first = anchor.min(columns.len());
    let start = match columns.len() > WIDTH {
        true => first.saturating_sub(LEAD).min(columns.len() - WIDTH),
        false => 0,
    };
    let (mut shown, mut below) = (String::new(), String::new());
    if start > 0 {
        shown.push('…');
        below.push(' ');
    }
    for (character, marked) in columns.iter().skip(start).take(WIDTH) {
        // A line of a foreign file may have anything in it.
        shown.push(if is_harmful(*character) {
            '\u{fffd}'
        } else {
            *character
        });
        below.push(if *marked { '^' } else { ' ' });
    }
    if start + WIDTH < columns.len() {
        shown.push('…');
    }
    below.truncate(below.trim_end().len());
    (shown, below)
}

/// Whether a character commands a terminal or turns the direction of text around.
fn is_harmful(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_under_what_they_mark() {
        let (shown, below) = window(r#"{"ä":1,"b":22}"#, &[6..7, 12..14], 0);
        assert_eq!(shown, r#"{"ä":1,"b":22}"#);
        assert_eq!(below, "     ^     ^^");
    }

    #[test]
    fn a_long_line_is_shown_around_its_first_mark() {
        let line = format!("{}X{}", "a".repeat(1_000), "b".repeat(1_000));
        let (shown, below) = window(&line, std::slice::from_ref(&(1_000..1_001)), 1_000);
        assert_eq!(shown.chars().count(), WIDTH + 2);
        assert_eq!(
            shown.find('X').map(|byte| byte - '…'.len_utf8() + 1),
            below.find('^')
        );
        let (shown, below) = window(&line, std::slice::from_ref(&(2_000..2_001)), 2_000);
        assert!(shown.starts_with('…') && shown.ends_with('b') && below.ends_with('^'));
    }
}
