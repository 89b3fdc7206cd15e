use crate::fixtures::{DELTA, FIRST_CONTACT, LOG_1, LOG_3, replay_text, text};

fn thread(line: &str) -> Option<conformance::log::Thread> {
    conformance::log::Log::parse("one", line.as_bytes())
        .unwrap()
        .lines[0]
        .statement
        .thread()
}

/// Every number of every line's message, one at a time, made another of the same length.
#[test]
fn numbers() {
    for name in [LOG_1, LOG_3, FIRST_CONTACT] {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        let mut missed = 0;
        let mut tried = 0;
        for (index, line) in lines.iter().enumerate() {
            let start = line.find(" - DEBUG - ").unwrap() + 11;
            let bytes = line.as_bytes();
            let mut at = start;
            while at < bytes.len() {
                if !bytes[at].is_ascii_digit() {
                    at += 1;
                    continue;
                }
                let end = (at..bytes.len())
                    .find(|i| !bytes[*i].is_ascii_digit())
                    .unwrap_or(bytes.len());
                let digits = &line[at..end];
                let last = digits.bytes().last().unwrap();
                for other in [
                    if last == b'9' { b'8' } else { last + 1 },
                    if last == b'0' { b'9' } else { last - 1 },
                ] {
                    let changed = format!(
                        "{}{}{}{}",
                        &line[..at],
                        &digits[..digits.len() - 1],
                        other as char,
                        &line[end..]
                    );
                    let mut forged = lines.clone();
                    forged[index] = &changed;
                    let report =
                        std::panic::catch_unwind(|| replay_text(&(forged.join("\n") + "\n")));
                    let Ok(report) = report else {
                        println!("PANIC {name} {}: {changed}", index + 1);
                        continue;
                    };
                    tried += 1;
                    if report.unexplained() == 0 {
                        missed += 1;
                        println!(
                            "{name} {}: {}[{}]{}",
                            index + 1,
                            &changed[start..at],
                            &changed[at..end],
                            &changed[end..]
                        );
                    }
                }
                at = end;
            }
        }
        println!("{name}: {missed} of {tried} missed");
    }
}

#[test]
fn deletions_and_swaps() {
    for name in [LOG_1, LOG_3, FIRST_CONTACT, DELTA] {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        for index in 1..lines.len() - 1 {
            let mut forged = lines.clone();
            forged.remove(index);
            if replay_text(&(forged.join("\n") + "\n")).unexplained() == 0 {
                println!(
                    "deleted {name} {}: {}",
                    index + 1,
                    &lines[index][60..90.min(lines[index].len())]
                );
            }
        }
        for index in 0..lines.len() - 1 {
            for other in index + 1..(index + 6).min(lines.len()) {
                let mut forged = lines.clone();
                forged.swap(index, other);
                if forged == lines || thread(lines[index]) != thread(lines[other]) {
                    continue;
                }
                if replay_text(&(forged.join("\n") + "\n")).unexplained() == 0 {
                    println!(
                        "swapped {name} {} {}: {} / {}",
                        index + 1,
                        other + 1,
                        &lines[index].chars().skip(52).take(42).collect::<String>(),
                        &lines[other].chars().skip(52).take(42).collect::<String>()
                    );
                }
            }
        }
    }
}
