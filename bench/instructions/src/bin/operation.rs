//! Repeats one operation of one subject, to be counted by callgrind.

use std::error::Error;

use clap::{Parser, Subcommand};
use instructions::operation::Operation;
use instructions::subjects::able;
use instructions::wall_time;
use instructions::work::{counted_run, repeat};

/// Repeats one operation of one subject, to be counted by callgrind.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs it as often without being counted, then `repetitions` times in `counted_run`.
    Count {
        operation: String,
        subject: String,
        repetitions: u32,
    },
    /// Measures how long it takes all subjects, in turn, and prints `[["subject", nanoseconds]]`.
    Time { operation: String },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().command {
        Command::Count {
            operation,
            subject,
            repetitions,
        } => count(&operation, &subject, repetitions),
        Command::Time { operation } => {
            let operation = Operation::named(&operation).ok_or("there is no such operation")?;
            println!("{}", serde_json::to_string(&wall_time::take(operation))?);
            Ok(())
        }
    }
}

fn count(operation: &str, subject: &str, repetitions: u32) -> Result<(), Box<dyn Error>> {
    let operation = Operation::named(operation).ok_or("there is no such operation")?;
    let found = able(operation).find(|(able, _)| able.name == subject);
    let (_, mut work) = found.ok_or("there is no such subject, or it cannot do this")?;
    repeat(work.as_mut(), repetitions, |work| work.run());
    repeat(work.as_mut(), repetitions, counted_run);
    Ok(())
}
