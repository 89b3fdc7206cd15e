//! Where the instructions of one operation go: what callgrind_annotate prints, by functions.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::callgrind;
use crate::operation::Operation;

/// Instructions of one run by function, most first.
#[derive(Debug)]
pub struct Profile {
    /// In the function's own code, with what was inlined into it.
    pub own: Vec<(f64, String)>,
    /// In it and all that it calls. Without the functions that hold everything, which are the
    /// program's own around the operation.
    pub inclusive: Vec<(f64, String)>,
}

/// Counts it anew.
///
/// # Errors
/// Where callgrind or callgrind_annotate cannot be run.
pub fn profile(operation: Operation, subject: &str) -> Result<Profile, Box<dyn Error>> {
    let written = std::env::temp_dir().join(format!("callgrind-{}", std::process::id()));
    let repetitions = operation.repetitions();
    let output = callgrind::run(operation, subject, repetitions, &written.to_string_lossy())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let own = annotate(&written, "no")?;
    let inclusive = annotate(&written, "yes")?;
    std::fs::remove_file(&written)?;
    let whole = inclusive.values().copied().max().unwrap_or_default();
    let ranked = |functions: BTreeMap<String, u64>| {
        let runs = f64::from(repetitions);
        let functions = functions.into_iter();
        let mut ranked: Vec<_> = functions
            .map(|(name, count)| (count as f64 / runs, name))
            .collect();
        ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        ranked
    };
    let part = inclusive.into_iter().filter(|(_, count)| *count < whole);
    Ok(Profile {
        own: ranked(own),
        inclusive: ranked(part.collect()),
    })
}

fn annotate(written: &Path, inclusive: &str) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let output = Command::new("callgrind_annotate")
        .args(["--auto=no", "--threshold=100"])
        .arg(format!("--inclusive={inclusive}"))
        .arg(written)
        .output()?;
    let mut functions = BTreeMap::new();
    let text = String::from_utf8_lossy(&output.stdout);
    for (count, function) in text.lines().filter_map(function) {
        let sum: &mut u64 = functions.entry(function.to_owned()).or_default();
        // A function comes once for each file of which it has inlined something. Of the inclusive
        // counts one is that of the whole.
        *sum = if inclusive == "yes" {
            count.max(*sum)
        } else {
            *sum + count
        };
    }
    match functions.is_empty() {
        true => Err(format!("callgrind_annotate says nothing that is understood: {text}").into()),
        false => Ok(functions),
    }
}

/// The count and the function of a line `1,234 ( 5.67%)  file:function [object]`.
fn function(line: &str) -> Option<(u64, &str)> {
    let (count, rest) = line.split_once('(')?;
    let count = count.trim().replace(',', "").parse().ok()?;
    let (_, place) = rest.split_once("%)")?;
    let (_, function) = place.trim().split_once(':')?;
    let function = function
        .split_once(" [")
        .map_or(function, |(function, _)| function);
    Some((count, function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_callgrind_annotate_is_understood() {
        for (line, expected) in [
            (
                "26,112 ( 3.51%)  /a/reader.rs:core::Reader::value [/target/release/operation]",
                Some((26_112, "core::Reader::value")),
            ),
            (
                "512 ( 0.07%)  ???:(below main)",
                Some((512, "(below main)")),
            ),
            ("744,448 (100.0%)  PROGRAM TOTALS", None),
            ("Thresholds:       100", None),
            ("Ir                file:function", None),
        ] {
            assert_eq!(function(line), expected, "{line}");
        }
    }
}
