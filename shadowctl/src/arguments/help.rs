//! What `--help` teaches beyond the list of options.

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  the operation failed: rejected, timed out, lines unexplained, a replay that differs, a
     grave finding, a condition that does not hold
  2  the command line is wrong
  3  the server cannot be reached or trusted, or refused the login
  4  a file is missing or wrong: device_info.json, a recording, a log, a certificate; or is in
     the way of a recording";

pub(super) const DEMO: &str = "\
Show what a device shadow is, step by step

Tells the story of the vendor's document of the device shadow: getting the status cached in the \
cloud, modifying it, updating it every 3 seconds with a reset in between, and a device that was \
away and catches up. It prints every packet, and checks every outcome. Takes 17 seconds.

With --host or --device it runs against that server, and overwrites what the shadow holds there: \
both parts are cleared on the way.";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  shadowctl demo                             an embedded cloud over loopback TCP
  shadowctl demo --fast                      the same in virtual time: done at once
  shadowctl demo --device device_info.json   your device at the vendor's cloud

With --output json, one object a line, by its \"event\": \"demonstration\", \"text\", \"packet\" \
(at_ms, who, sent, kind, topic, payload), \"check\" (passed), \"skipped\".";

pub(super) const GET: &str = "\
Print the shadow

Logs in as the device and asks for its shadow: what it reported last, what is desired of it, and \
the delta, which is what is desired and not reported.

The server lets one client in for each device: the device itself, if it is connected, is put out. \
With --app it stays: the shadow is asked for as by an application, which logs in beside the device \
as `desire` does. `shadowctl serve` understands that, the vendor's server does not.";

pub(super) const GET_EXAMPLES: &str = "\
Examples:
  shadowctl get --device device_info.json
  shadowctl get --device device_info.json --websocket  where only the web's ports are open
  shadowctl get --host 127.0.0.1                     the example device at `shadowctl serve`
  shadowctl get --app --host 127.0.0.1               while the device is connected
  shadowctl get --host 127.0.0.1 --output json | jq .state.reported
  shadowctl get --host 127.0.0.1 --record get.jsonl  on record, to be replayed

With --output json, the payload of the cloud's reply: state (reported, desired, delta), version, \
timestamp (ms), and metadata where the cloud sends it.";

pub(super) const REPORT: &str = "\
Report state, as the device

The keys that are given are merged into what is reported; others stay. The value null deletes a \
key, and an array is replaced whole.

Logs in as the device. The server lets one client in for each device: the device itself, if it is \
connected, is put out. With --session, what the cloud did not answer is kept in the file, and sent \
by the next command that has it.

A value is JSON if it parses as JSON, otherwise a string: level=3 is a number, level='\"3\"' and \
name=lamp are strings. Numbers are sent with the digits they are typed with. A dot in a key nests: \
light.on=true is {\"light\":{\"on\":true}}. A key that has a dot in its name needs --json. A key \
that is given twice is an error.";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  shadowctl report updateCount=12 name=lamp light.on=true --host 127.0.0.1
  shadowctl report --json '{\"a.b\": [1, 2.50]}' --host 127.0.0.1
  shadowctl report old=null --host 127.0.0.1         deletes the key
  shadowctl report level=3 --session lamp.session --host 127.0.0.1
                                             without a link it is kept, and sent by the next command

With --output json, the payload of the cloud's reply: state with what changed, version, timestamp \
(ms). If the cloud refuses: {\"rejected\":CODE,\"document\":{..}}, and exit code 1.";

pub(super) const DESIRE: &str = "\
Ask for state, as an application

The keys are merged into what is desired; the device is told the delta at once, or when it comes \
back. Keys and values as for `report`.

The application logs in beside the device, signed with the device's secret, on topics of this \
project's own. `shadowctl serve` understands them. The vendor's server does not: it serves \
applications over its HTTP API and its console.";

pub(super) const DESIRE_EXAMPLES: &str = "\
Examples:
  shadowctl desire light.on=true --host 127.0.0.1
  shadowctl desire light.on=true --version 9 --host 127.0.0.1
                                             only if nobody changed the shadow since version 9

With --output json, the payload of the service's reply: state with what changed, version, timestamp \
(ms). If it refuses: {\"rejected\":CODE,\"document\":{..}}, and exit code 1; 5005 is a version \
conflict, and the document the current one.";

pub(super) const CLEAR_DESIRED: &str = "\
Delete the desired part, as the device does once it has obeyed

A device answers a delta by applying it, reporting the new values and clearing what was desired.

Logs in as the device. The server lets one client in for each device: the device itself, if it is \
connected, is put out.";

pub(super) const CLEAR_DESIRED_EXAMPLES: &str = "\
Examples:
  shadowctl clear-desired --host 127.0.0.1

With --output json, as for `report`.";

pub(super) const CLEAR_REPORTED: &str = "\
Delete the reported part

All that the device ever reported is forgotten. To delete single keys, report them as null.

Logs in as the device. The server lets one client in for each device: the device itself, if it is \
connected, is put out.";

pub(super) const CLEAR_REPORTED_EXAMPLES: &str = "\
Examples:
  shadowctl clear-reported --host 127.0.0.1

With --output json, as for `report`.";

pub(super) const WATCH: &str = "\
Print deltas and connection states until Ctrl-C

Stays logged in as the device. A delta is \"pushed\" when desired changes meanwhile, and \"fetched\" \
when it changed while nobody was there to see. With --accept it is a device that applies whatever \
it is asked for: each delta is answered, over as many connections as that takes. The connection is \
made again whenever it is lost, for ever; --timeout does not count here.

The server lets one client in for each device: the device itself, if it is connected, is put out.";

pub(super) const WATCH_EXAMPLES: &str = "\
Examples:
  shadowctl watch --host 127.0.0.1
  shadowctl watch --accept --session lamp.session --host 127.0.0.1
                                             a device that forgets nothing over a restart
  shadowctl watch --record lamp.jsonl --record-limit 16M --record-mask values --host 127.0.0.1
                                             on record: lamp.jsonl, lamp.2.jsonl and so on
  shadowctl watch --host 127.0.0.1 --output json | jq 'select(.event == \"delta\").state'

With --output json, one object a line with \"time\" (ms since 1970) and \"event\": \"connected\" \
(session_present), \"disconnected\" (cause, retry_in_ms), \"subscribed\", \"subscription_refused\", \
\"ready\" (document, version), \"get_rejected\" (code), \"delta\" (origin, redelivered, version, \
state), \"accepted\" (state) once the cloud has the answer, \"not_accepted\" (why), \"not_stored\" \
(why) and \"stored_again\" of the session, \"not_recorded\" (why), \"missed\" (count), \"other\" (text).";

pub(super) const REPLAY: &str = "\
Replay a recording and find the first difference; or a log or capture of another client

What a file is, is seen by its content.

A recording (--record) has all that went into the engine. The same goes into this version of it, and \
everything that comes out has to be what was recorded, bit for bit. At the first difference is told: \
the step, the virtual time, in what the engine differs, the lines before, both lines with the \
differing fields marked. The times are those of the recording; nothing is waited for.

A log of the vendor's Python SDK or a capture (pcap, pcapng) of any MQTT client is imported: what the \
application asked is inferred, the incoming messages are fed to this project's engine, and every \
line or byte of the device has to come out of it again. Several logs are excerpts of one session.";

pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  shadowctl replay lamp.jsonl                and lamp.2.jsonl and so on, if they are there
  shadowctl replay --speed real --from 3600 lamp.jsonl
                                             watch what it did after an hour
  shadowctl replay --step lamp.jsonl         walk through it: forward, back, state, search
  shadowctl replay --to-test -o tests/lamp.rs lamp.jsonl
  shadowctl replay device.log
  shadowctl replay 1-get-cached-status.log 2a-modify-update.log 2b-modify-get.log
  shadowctl replay device.pcap

The exit code is 0 only if the replay is the same, or nothing is unexplained.

With --output json, one object: of a recording same, recorded_by, replayed_by, virtual_micros, \
took_micros, inputs, outputs, connections, exchanges, divergence (file, line, step, at, sentence, \
expected, found, differences, before), and with --speed real before it each line (at, words, \
recorded, ..); of a log the whole report: files, profile, lines (file, number, text, verdict), \
unprinted, counts, findings, conclusions.";

pub(super) const IMPORT: &str = "\
Drive this project's engine with another client's session, and record what it does

What the application asked for is inferred from the packets of a capture, or from the lines of the \
vendor's Python SDK; the server's packets go in at their times. The engine acts by the profile that \
was found by looking: version of MQTT, JSON, tokens, keep alive. The report says how far it does the \
same as the recorded device, and which options the device's faults needed.";

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  shadowctl import device.pcap
  shadowctl import device.log -o device.jsonl
  shadowctl import device.pcap -o device.jsonl && shadowctl replay device.jsonl

The exit code is 0 only if every line is explained and every packet came out identical.

A recording is written for each engine: one for each client, and another one wherever the client was \
closed or started anew.";

pub(super) const DIAGNOSE: &str = "\
Tell where a recorded device broke the specification, or lost something

Reads the packets of any MQTT client from a capture, of this project's engine from a recording, or of \
the vendor's Python SDK from its logs, and looks for malformed packets, late pings, subscriptions that were not made again, requests without \
answer, tokens used twice, deltas that were not answered or deleted unseen, refused logins and why, \
unacknowledged messages, servers that fell silent, and more. Each finding says where, by which rule, \
and what to do about it. What the file does not show is not guessed.";

pub(super) const DIAGNOSE_EXAMPLES: &str = "\
Examples:
  shadowctl diagnose device.pcap
  shadowctl diagnose device.log
  shadowctl diagnose --port 11883 two-clients.pcapng
  shadowctl diagnose --key-log keys.txt encrypted.pcapng

The exit code is 0 only if nothing broke the specification and nothing was lost.

With --output json, one object for each session: files, clients, connections, begins_at, findings \
(severity, finding, rule, at_micros, client, connection, packet, evidence, advice), left_out, counts.";

pub(super) const SHOW: &str = "\
Tell a recorded session step by step, or draw it as one page

Prints one line for each thing that happened: calls of the application (>) and what it was told (<), \
packets (-> and <-), the link (-| and <|), timers (*). Replies tell how long they took and what \
they answer; below them stands what they change in the document, as far as the session shows it \
(+ added, ~ changed, - deleted), and what went wrong (!).

With -o it is drawn as a sequence diagram: one HTML file that loads nothing and works without a \
network, on a phone and in dark mode. Secrets are in neither, as they are not in the recording.";

pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  shadowctl show session.jsonl
  shadowctl show session.jsonl -o session.html
  shadowctl show session.jsonl --only fault
  shadowctl show session.jsonl --from 60 --until 75.5

With --output json, one step a line: number, at_us, line, kind, route, name, words, detail, shadow, \
topic, token, request, content, fault, answers (step, after_us), expects, version, changes (path, \
before, after), link, deadline.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  shadowctl completions bash > ~/.local/share/bash-completion/completions/shadowctl
  shadowctl completions zsh > ~/.zfunc/_shadowctl
  shadowctl completions fish > ~/.config/fish/completions/shadowctl.fish";

pub(super) const MAN: &str = "\
Print the manual page, or write those of all commands

The pages are made of the same text as --help: shadowctl.1, and one for each command, as \
shadowctl-replay.1. `man shadowctl` finds them in a directory man1 of its path.";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  shadowctl man | man -l -
  shadowctl man -o ~/.local/share/man/man1";
