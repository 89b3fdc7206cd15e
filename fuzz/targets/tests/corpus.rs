//! Each file of the corpus, through its target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fuzz_targets::TARGETS;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let fuzz = fuzz.expect("this crate is in the directory `fuzz`");
    let mut trials = Vec::new();
    for (name, target) in TARGETS {
        for path in files(&fuzz.join("corpus").join(name)) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            trials.push(Trial::test(format!("{name}/{file}"), move || {
                target(&fs::read(&path)?);
                Ok(())
            }));
        }
        let program = fuzz.join("fuzz_targets").join(format!("{name}.rs"));
        let corpus = fuzz.join("corpus").join(name);
        trials.push(Trial::test(format!("{name} is complete"), move || {
            let source = fs::read_to_string(&program)?;
            if !source.contains(&format!("fuzz_targets::{name}(data)")) {
                return Err(format!("{} runs another target", program.display()).into());
            }
            if files(&corpus).len() < 3 {
                return Err(format!("there is no corpus in {}", corpus.display()).into());
            }
            Ok(())
        }));
    }
    for (directory, extension) in [("corpus", ""), ("dictionaries", ".dict")] {
        let entries = files(&fuzz.join(directory));
        trials.push(Trial::test(
            format!("{directory} of no other target"),
            move || {
                for path in entries {
                    let file = path.file_name().unwrap_or_default().to_string_lossy();
                    let name = file.strip_suffix(extension).unwrap_or(&file);
                    if TARGETS.iter().all(|(target, _)| *target != name) {
                        return Err(format!("{} belongs to no target", path.display()).into());
                    }
                }
                Ok(())
            },
        ));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What is in a directory, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
