//! Does what was printed look as the guide says?

/// Stands for anything in a line, and alone in a line for any lines.
const ANYTHING: &str = "…";

/// Compares what the guide shows with what was printed.
pub(crate) fn compare(shown: &str, printed: &str) -> Result<(), String> {
    let wanted: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
    if matches(&wanted, &lines) {
        Ok(())
    } else {
        Err(format!(
            "the guide shows\n{shown}\nand printed is\n{printed}"
        ))
    }
}

fn matches(wanted: &[&str], lines: &[&str]) -> bool {
    match (wanted.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first.trim() == ANYTHING => {
            (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..]))
        }
        (Some((first, wanted)), Some((line, lines))) => same(first, line) && matches(wanted, lines),
        _ => false,
    }
}

fn same(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}
