//! Prints the table of MQTT 3.1.1's normative statements: what binds a client, and which test shows
//! that it holds.

use conformance::clauses::{self, CHAPTERS, Clause, Count, Party, Verdict};

fn main() {
    for chapter in CHAPTERS {
        println!("{}\n", chapter.title);
        chapter.clauses.iter().for_each(print);
        println!();
    }
    let (client, server): (Vec<Clause>, Vec<Clause>) = clauses::all()
        .copied()
        .partition(|clause| clause.binds.binds_client());
    let (client, server) = (Count::of(&client), Count::of(&server));
    println!("statements      {}", client.total() + server.total());
    println!("bind a client   {}", client.total());
    println!("  tested        {}", client.tested);
    println!("  gap           {}", client.gaps);
    println!("bind a server   {}", server.total());
    println!("  noticed       {}", server.tested);
    println!("  not looked at {}", server.server_only);
}

fn print(clause: &Clause) {
    let binds = match clause.binds {
        Party::Client => "client",
        Party::Server => "server",
        Party::Both => "both",
    };
    println!("  {:<14} {binds:<7} {}", clause.id, clause.statement);
    let indent = " ".repeat(24);
    match clause.verdict {
        Verdict::Tested(tests) => tests.iter().for_each(|test| println!("{indent}+ {test}")),
        Verdict::Untested => println!("{indent}GAP: no test"),
        Verdict::ServerOnly => {}
    }
}
