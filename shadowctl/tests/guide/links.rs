//! Where the links of a page lead.

use std::fs;
use std::path::Path;

/// Whether each relative link of a page leads to a file, and each anchor to a heading.
pub(crate) fn check(page: &Path, markdown: &str) -> Result<(), String> {
    let directory = page.parent().ok_or("a page is in a directory")?;
    let text = without_code(markdown);
    for (index, _) in text.match_indices("](") {
        let target = text[index + 2..].split(')').next().unwrap_or_default();
        if target.contains("://") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let linked = match file {
            "" => page.to_owned(),
            file => directory.join(file),
        };
        if !linked.exists() {
            return Err(format!("the link to {target} leads nowhere"));
        }
        if !anchor.is_empty() {
            let linked = fs::read_to_string(&linked).map_err(|error| error.to_string())?;
            let headings = without_code(&linked);
            let mut headings = headings.lines().filter(|line| line.starts_with('#'));
            if !headings.any(|heading| slug(heading) == anchor) {
                return Err(format!("the link to {target} leads to no heading"));
            }
        }
    }
    Ok(())
}

/// A page without its fenced blocks.
fn without_code(markdown: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// A heading's anchor, as forges make it.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
    words
        .chars()
        .filter(|c| kept(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
