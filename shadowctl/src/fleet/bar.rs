//! A progress bar with a table below it, which goes away without a trace.

use std::io::{self, IsTerminal, Stderr, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on a terminal.
///
/// Between drawings its cursor is at the start of the last line. Where indicatif leaves it, at the
/// end, the `^C` that a terminal prints goes to a line of its own; from there one line too few is
/// cleared, and the first one stays on the screen for ever.
pub(super) struct Bar<W> {
    bar: ProgressBar,
    terminal: W,
}

impl Bar<Stderr> {
    /// A bar on stderr, if that is a terminal.
    pub(super) fn on_stderr(length: u64, word: &str, numbers: &str) -> Option<Bar<Stderr>> {
        let terminal = io::stderr();
        terminal.is_terminal().then(|| {
            let bar = Bar::new(length, ProgressDrawTarget::stderr(), terminal);
            bar.name(word, numbers);
            bar
        })
    }
}

impl<W: Write> Bar<W> {
    /// A bar that indicatif draws on `target`, which is `terminal`.
    fn new(length: u64, target: ProgressDrawTarget, terminal: W) -> Bar<W> {
        let bar = ProgressBar::with_draw_target(Some(length), target);
        Bar { bar, terminal }
    }

    /// From the next drawing on it has this word before it and these numbers behind it.
    pub(super) fn name(&self, word: &str, numbers: &str) {
        let template = format!("{word:<16} [{{bar:30}}] {{elapsed}} {numbers}\n{{msg}}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        self.bar.set_style(style);
    }

    /// From now on so much is the whole. To be drawn after.
    pub(super) fn set_length(&self, length: u64) {
        self.bar.set_length(length);
    }

    /// Draws it anew: so much of the whole, and this below it.
    pub(super) fn draw(&mut self, position: u64, below: String) {
        self.bar.set_position(position);
        self.bar.set_message(below);
        // If it cannot be written, nor can the bar.
        drop(self.terminal.write_all(b"\r"));
    }

    /// Takes it away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    const WIDTH: usize = 80;

    /// A terminal of 80 columns that goes on in the next line where one is full.
    #[derive(Clone, Debug)]
    struct Screen(Arc<Mutex<Cells>>);

    #[derive(Debug)]
    struct Cells {
        rows: [[char; WIDTH]; 10],
        row: usize,
        column: usize,
    }

    impl Screen {
        fn new() -> Screen {
            Screen(Arc::new(Mutex::new(Cells {
                rows: [[' '; WIDTH]; 10],
                row: 0,
                column: 0,
            })))
        }

        fn print(&self, text: &str) {
            let mut cells = self.0.lock().unwrap();
            for c in text.chars() {
                if c == '\r' {
                    cells.column = 0;
                    continue;
                }
                if c == '\n' || cells.column == WIDTH {
                    cells.row += 1;
                    cells.column = 0;
                }
                if c != '\n' {
                    let (row, column) = (cells.row, cells.column);
                    cells.rows[row][column] = c;
                    cells.column += 1;
                }
            }
        }

        fn row(&self, row: usize) -> String {
            let row = self.0.lock().unwrap().rows[row];
            let text: String = row.iter().collect();
            text.trim_end().to_owned()
        }

        fn text(&self) -> String {
            let rows: Vec<String> = (0..10).map(|row| self.row(row)).collect();
            rows.join("\n").trim_end().to_owned()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            let mut cells = self.0.lock().unwrap();
            cells.row = cells.row.saturating_sub(n);
            Ok(())
        }

        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.0.lock().unwrap().row += n;
            Ok(())
        }

        fn move_cursor_right(&self, n: usize) -> io::Result<()> {
            self.0.lock().unwrap().column += n;
            Ok(())
        }

        fn move_cursor_left(&self, n: usize) -> io::Result<()> {
            self.0.lock().unwrap().column -= n;
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.print(text);
            self.print("\n");
            Ok(())
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.print(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            let mut cells = self.0.lock().unwrap();
            let row = cells.row;
            cells.rows[row] = [' '; WIDTH];
            cells.column = 0;
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.print(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bar_on(screen: &Screen, length: u64) -> Bar<Screen> {
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        Bar::new(length, target, screen.clone())
    }

    #[test]
    fn what_ctrl_c_prints_leaves_nothing_of_it() {
        let screen = Screen::new();
        let mut bar = bar_on(&screen, 60);
        bar.name("working", "");
        bar.draw(6, "names\nvalues".to_owned());
        assert!(screen.row(0).starts_with("working          [==="));
        assert_eq!(
            (screen.row(1), screen.row(2)),
            ("names".into(), "values".into())
        );
        screen.print("^C");
        // Drawn anew it is where it was.
        bar.name("closing", "");
        bar.set_length(120);
        bar.draw(120, "names\nvalues".to_owned());
        assert!(screen.row(0).starts_with("closing          [==="));
        assert_eq!(
            (screen.row(1), screen.row(2)),
            ("names".into(), "values".into())
        );
        screen.print("^C");
        bar.finish();
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn the_longest_line_of_it_fits_a_terminal_of_eighty_columns() {
        let screen = Screen::new();
        let mut bar = bar_on(&screen, 1_000_000);
        bar.name("the last answers", "{pos} of {len}");
        bar.draw(1_000_000, "names".to_owned());
        assert!(screen.row(0).ends_with(" 1000000 of 1000000"));
        assert_eq!(screen.row(1), "names");
        // With two columns more than the time has now: 59m for 0s.
        assert!(screen.row(0).len() + 2 <= 79);
    }
}
