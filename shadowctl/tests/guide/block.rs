//! The fenced blocks of a chapter.

/// A block of commands.
#[derive(Debug)]
pub(crate) struct Block {
    /// Line of the opening fence, from 1.
    pub(crate) line: usize,
    pub(crate) how: How,
    pub(crate) commands: String,
    /// What the guide shows as printed by them.
    pub(crate) printed: Option<String>,
}

/// What is done with a block of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It runs, and ends with this code.
    Run { code: i32 },
    /// It runs until the chapter ends.
    Background,
    /// It is only looked at.
    Look,
}

/// The blocks of commands in a chapter.
pub(crate) fn blocks(markdown: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = markdown.lines().enumerate();
    // Whether nothing but blank lines stands between the last block and here.
    let mut behind_block = false;
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            behind_block &= line.trim().is_empty();
            continue;
        };
        let mut content = String::new();
        loop {
            let (_, line) = lines
                .next()
                .ok_or(format!("line {}: not closed", index + 1))?;
            if line == "```" {
                break;
            }
            content.push_str(line);
            content.push('\n');
        }
        let mut words = info.split_whitespace();
        match (words.next(), blocks.last_mut()) {
            (Some("text"), Some(last)) if behind_block => {
                last.printed = Some(content);
                behind_block = false;
            }
            (Some("sh"), _) => {
                let rest: Vec<&str> = words.collect();
                blocks.push(Block {
                    line: index + 1,
                    how: how(&rest).map_err(|error| format!("line {}: {error}", index + 1))?,
                    commands: content,
                    printed: None,
                });
                behind_block = true;
            }
            _ => behind_block = false,
        }
    }
    Ok(blocks)
}

fn how(words: &[&str]) -> Result<How, String> {
    match *words {
        [] => Ok(How::Run { code: 0 }),
        ["background"] => Ok(How::Background),
        ["cargo" | "vendor"] => Ok(How::Look),
        [word] => word
            .strip_prefix("exit-")
            .and_then(|code| code.parse().ok())
            .map(|code| How::Run { code })
            .ok_or(format!("what is `sh {word}`?")),
        _ => Err("one word behind `sh`".into()),
    }
}
