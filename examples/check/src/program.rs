//! The program under test.

use std::process::{Command, Stdio};

use smol::channel::Sender;
use smol::future::zip;
use smol::io::{AsyncBufReadExt, AsyncRead, BufReader};
use smol::process::Child;
use smol::stream::StreamExt;

use crate::scenario::Happening;

/// Starts it. It is killed when the child is dropped.
pub(crate) fn start(command: Command) -> Child {
    let mut command = smol::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// Tells each line that it prints, and its end.
pub(crate) async fn listen(child: &mut Child, happenings: &Sender<Happening>) {
    let (printed, complained) = (child.stdout.take(), child.stderr.take());
    zip(
        tell_lines(printed, happenings, Happening::Printed),
        tell_lines(complained, happenings, Happening::Complained),
    )
    .await;
    tell(happenings, Happening::Ended);
}

async fn tell_lines(
    source: Option<impl AsyncRead + Unpin>,
    happenings: &Sender<Happening>,
    happening: fn(String) -> Happening,
) {
    let mut lines = BufReader::new(source.expect("it is piped, and taken once")).lines();
    while let Some(line) = lines.next().await {
        let line = line.unwrap_or_else(|error| panic!("the program's output: {error}"));
        tell(happenings, happening(line));
    }
}

fn tell(happenings: &Sender<Happening>, happening: Happening) {
    happenings
        .try_send(happening)
        .expect("the channel has no bound and a reader");
}
