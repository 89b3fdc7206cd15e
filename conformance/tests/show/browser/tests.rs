//! What the page shows and does.

use std::time::Duration;

use conformance::show::{Kind, Page, Span, Step, Story, write_page};
use serde_json::{Value, json};
use shadow_core::recording::Mask;

use crate::chromium::{DESK, View, load, probe};
use crate::session::{HOSTILE, Played, eventful, reader, story};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("every_step_is_drawn", every_step_is_drawn),
    ("search_and_filters", search_and_filters),
    ("keys_and_panel", keys_and_panel),
    ("hostile_content_is_text", hostile_content_is_text),
    ("foreign_script_does_not_run", foreign_script_does_not_run),
    ("phone", phone),
    ("dark", dark),
    ("part_of_a_session", part_of_a_session),
    ("document_after_many_changes", document_after_many_changes),
    ("ten_thousand_exchanges", ten_thousand_exchanges),
];

fn page(recording: &str, page: Page<'_>) -> String {
    let mut written = Vec::new();
    write_page(&mut Story::new(reader(recording)), page, &mut written).unwrap();
    String::from_utf8(written).unwrap()
}

fn whole(recording: &str) -> String {
    let title = "lamp & <b>lamp</b>";
    page(
        recording,
        Page {
            title,
            ..Page::default()
        },
    )
}

fn settings(searches: &[&str], steps: &[u64]) -> String {
    let settings = json!({"searches": searches, "steps": steps});
    format!("window.PROBE = {settings}").replace('<', "\\u003c")
}

/// The number of the step that `wanted` finds.
fn number(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> u64 {
    steps.iter().find(|step| wanted(step)).unwrap().number
}

fn numbers(value: &Value) -> Vec<u64> {
    let values = value.as_array().unwrap_or_else(|| panic!("{value}"));
    values.iter().map(|value| value.as_u64().unwrap()).collect()
}

/// Every step has its row with the words, the latencies, the fault and the differences that the
/// story tells.
fn every_step_is_drawn() {
    let recording = eventful(Mask::default());
    let steps = story(&recording);
    let seen = probe(&whole(&recording), &settings(&[], &[]), &DESK);
    assert_eq!(seen.console, [""; 0]);
    let rows = seen.probe["rows"].as_array().unwrap();
    let drawn: Vec<&Step> = steps
        .iter()
        .filter(|step| step.kind != Kind::Clock)
        .collect();
    assert_eq!(rows.len(), drawn.len());
    let answered = |step: &Step| {
        let answers = steps.iter().flat_map(|other| &other.answers);
        answers.filter(|answer| answer.step == step.number).count()
    };
    let mut joined = 0;
    for (row, step) in rows.iter().zip(drawn) {
        let (drawn, row) = (row[0].as_u64().unwrap(), &row[1]);
        assert_eq!(drawn, step.number);
        let text = row["text"].as_str().unwrap();
        assert!(text.contains(&step.name), "{text}: {step:?}");
        assert!(text.contains(&step.words), "{text}: {step:?}");
        let latencies: Vec<String> = step
            .answers
            .iter()
            .map(|answer| Span(answer.after).to_string())
            .collect();
        assert_eq!(row["latencies"], json!(latencies), "{step:?}");
        joined += latencies.len();
        let open = answered(step) < usize::from(step.expects);
        assert_eq!(row["open"], json!(open), "{step:?}");
        assert_eq!(row["fault"], json!(step.fault.is_some()), "{step:?}");
        assert_eq!(text.starts_with('✖'), step.fault.is_some(), "{text}");
        let wrong = step.fault.as_ref().map(|fault| format!("✖ {fault}"));
        assert_eq!(row["wrong"], json!(wrong), "{step:?}");
        let changes = row["changes"].as_array().unwrap();
        assert_eq!(changes.len(), step.changes.len(), "{step:?}");
        for (note, change) in changes.iter().zip(&step.changes) {
            let class = match change.sign() {
                '+' => "added",
                '-' => "removed",
                _ => "changed",
            };
            assert_eq!(note[0], class, "{step:?}");
            let sign = change.sign().to_string().replace('-', "−");
            let start = format!("{sign} {} ", change.path());
            assert!(note[1].as_str().unwrap().starts_with(&start), "{note}");
        }
    }
    assert!(joined > 20, "{joined}");
    let about = seen.probe["about"].as_str().unwrap();
    assert!(
        about.contains(&format!("{} steps in 5 min 14 s", steps.len())),
        "{about}"
    );
    let gap = seen.probe["gaps"][0].as_str().unwrap();
    assert_eq!(gap, "⋮ 9.32 s Reconnect at 9.922");
}

fn search_and_filters() {
    let recording = eventful(Mask::default());
    let steps = story(&recording);
    let token = steps.iter().find_map(|step| step.token.clone()).unwrap();
    let searches = [
        "lamp/events",
        token.as_str(),
        "KEEPALIVE",
        "update reported",
        "no such words",
        "mode \"eco\"",
    ];
    let seen = probe(&whole(&recording), &settings(&searches, &[]), &DESK);
    assert_eq!(seen.console, [""; 0]);
    let found = |text: &str| numbers(&seen.probe["searches"][text]["steps"]);
    let expected = |wanted: &dyn Fn(&Step) -> bool| -> Vec<u64> {
        let shown = steps.iter().filter(|step| step.kind != Kind::Clock);
        shown
            .filter(|step| wanted(step))
            .map(|step| step.number)
            .collect()
    };
    let topic = expected(&|step| step.topic.as_deref() == Some("lamp/events"));
    assert_eq!(topic.len(), 3, "a call, a message, and the message again");
    assert_eq!(found("lamp/events"), topic);
    let of_token = expected(&|step| step.token.as_deref() == Some(&token));
    assert_eq!((of_token.len(), found(&token)), (2, of_token));
    let timers = expected(&|step| step.name == "KeepAlive");
    assert_eq!((timers.len(), found("KEEPALIVE")), (2, timers));
    assert_eq!(found("no such words"), [0; 0]);
    assert!(
        found("mode \"eco\"").len() >= 4,
        "{:?}",
        found("mode \"eco\"")
    );
    let words = &seen.probe["searches"]["update reported"];
    let marks = words["marks"].as_array().unwrap();
    assert!(marks.contains(&json!("update")) && marks.contains(&json!("reported")));
    let count = format!("{} of {}", found("lamp/events").len(), steps.len());
    assert_eq!(seen.probe["searches"]["lamp/events"]["count"], count);

    let faults = expected(&|step| step.fault.is_some());
    assert!(faults.len() > 9);
    assert_eq!(numbers(&seen.probe["faultsOnly"]), faults);
    assert_eq!(seen.probe["withoutTimers"], false);
    assert_eq!(seen.probe["clockShown"], false);
}

fn keys_and_panel() {
    let recording = eventful(Mask::default());
    let steps = story(&recording);
    let reply = number(&steps, |step| step.words == "update ok, version 11");
    let call = number(&steps, |step| step.name == "accept");
    let timeout = number(&steps, |step| step.name == "PingResponse");
    let wanted = settings(&[], &[reply, call, timeout]);
    let seen = probe(&whole(&recording), &wanted, &DESK);
    assert_eq!(seen.console, [""; 0]);
    let faults: Vec<u64> = steps
        .iter()
        .filter(|step| step.fault.is_some())
        .map(|step| step.number)
        .collect();
    // The wall time is not shown. The first fault is told twice, by the link and by the engine.
    let refused = number(&steps, |step| step.name == "CONNACK");
    assert_eq!(numbers(&seen.probe["keys"]), [1, 3, 1, faults[0], refused]);
    assert_eq!(seen.probe["slash"], true);
    assert_eq!(seen.probe["closed"], true);

    let panel = &seen.probe["panels"][reply.to_string()];
    let text = panel["text"].as_str().unwrap();
    let request = steps[usize::try_from(reply).unwrap() - 1].answers[0].step;
    assert!(
        text.contains(&format!("answers step {request} after 23.4 ms")),
        "{text}"
    );
    assert!(text.contains("version 11 of EXAMPLE001/test01"), "{text}");
    assert!(text.contains("2021-07-20 08:4"), "{text}");
    assert_eq!(numbers(&panel["pairs"]), [request]);
    assert_eq!(
        panel["leaves"],
        json!([
            [
                "removed",
                "−desired: {\"light\":{\"on\":true},\"mode\":\"eco\"}"
            ],
            ["", "reported: "],
            ["", "light: "],
            ["", "level: 40"],
            ["changed", "~on: false → true"],
            ["added", "+mode: \"eco\""],
            ["", "updateCount: 1"],
            ["", "updateCount11: \"shadow\""],
        ])
    );
    let panel = &seen.probe["panels"][call.to_string()];
    let text = panel["text"].as_str().unwrap();
    assert!(text.contains("version 10 of EXAMPLE001/test01"), "{text}");
    let leaves = panel["leaves"].as_array().unwrap();
    assert!(leaves.contains(&json!(["", "mode: \"eco\""])), "{leaves:?}");
    assert!(leaves.iter().all(|leaf| leaf[0] == ""), "{leaves:?}");
    let text = seen.probe["panels"][timeout.to_string()]["text"]
        .as_str()
        .unwrap();
    assert!(text.contains("PingResponse, due at 4:01.450 s"), "{text}");
}

fn hostile_content_is_text() {
    let recording = eventful(Mask::default());
    let steps = story(&recording);
    let hostile = number(&steps, |step| {
        step.content
            .as_ref()
            .is_some_and(|content| content.as_str() == HOSTILE)
    });
    let page = page(
        &recording,
        Page {
            title: HOSTILE,
            ..Page::default()
        },
    );
    let seen = probe(&page, &settings(&["onerror"], &[hostile]), &DESK);
    assert_eq!(seen.console, [""; 0]);
    let panel = seen.probe["panels"][hostile.to_string()]["text"]
        .as_str()
        .unwrap();
    assert!(panel.contains(HOSTILE), "{panel}");
    assert_eq!(
        numbers(&seen.probe["searches"]["onerror"]["steps"]).len(),
        3
    );
    assert_eq!(seen.probe["images"], 0);
    assert_eq!(seen.probe["scripts"], 3, "data, the page's own, the probe");
    assert_eq!(seen.probe["broken"], Value::Null);
    assert_eq!(seen.probe["resources"], json!([]));
}

/// If text became a part of the page after all, its policy would stop it. This also shows that what
/// the console says is seen here.
fn foreign_script_does_not_run() {
    let page = whole(&eventful(Mask::default()));
    let (start, end) = page.rsplit_once("</body>").unwrap();
    let foreign = "<script>document.body.innerHTML = '<pre id=\"pro' + 'be\">probe:e30=:</pre>'</script>\
                   <img src=\"https://example.com/x.png\">";
    let seen = load(&format!("{start}{foreign}</body>{end}"), &DESK);
    assert_eq!(seen.probe, Value::Null);
    let about = |what: &str| {
        seen.console
            .iter()
            .filter(|line| line.contains(what))
            .count()
    };
    assert_eq!(about("inline script"), 1, "{seen:?}");
    assert_eq!(about("example.com"), 1, "{seen:?}");

    let seen = load(&page, &DESK);
    assert_eq!(seen.console, [""; 0]);
}

fn phone() {
    let recording = eventful(Mask::default());
    let steps = story(&recording);
    let reply = number(&steps, |step| step.words == "update ok, version 11");
    let hostile = number(&steps, |step| step.words.contains("onerror"));
    let view = View {
        width: 360,
        height: 800,
        dark: false,
    };
    let offline = number(&steps, |step| step.name == "Disconnected");
    let wanted = settings(&[], &[reply, hostile, offline]);
    let seen = probe(&whole(&recording), &wanted, &view);
    assert_eq!(seen.console, [""; 0]);
    assert_eq!(seen.probe["width"], 360);
    assert_eq!(seen.probe["scrollWidth"], 360);
    let rightmost = seen.probe["rightmost"].as_u64();
    assert!(rightmost <= Some(360), "{}", seen.probe["widest"]);
    assert_eq!(seen.probe["panels"][reply.to_string()]["hidden"], false);
    // So do the largest numbers.
    let long = concat!(
        r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#,
        "\n",
        r#"{"at":0,"out":"connect"}"#,
        "\n",
        r#"{"at":36000000000000,"out":"connect"}"#,
        "\n",
    );
    let little = format!("window.PROBE_LITTLE = true; {}", settings(&[], &[2]));
    let late = probe(&whole(long), &little, &view);
    let title = &late.probe["panels"]["2"]["title"];
    assert_eq!(title, "Step 2 · 10000:00:00.000 s");
    let rightmost = late.probe["rightmost"].as_u64();
    assert!(rightmost <= Some(360), "{}", late.probe["widest"]);

    let shown = steps.iter().filter(|step| step.kind != Kind::Clock).count();
    assert_eq!(seen.probe["rows"].as_array().unwrap().len(), shown);
    assert!(
        seen.probe["smallest"].as_u64() >= Some(24),
        "{}",
        seen.probe["smallest"]
    );
}

fn dark() {
    let recording = eventful(Mask::default());
    let light = probe(&whole(&recording), &settings(&[], &[]), &DESK);
    let view = View { dark: true, ..DESK };
    let dark = probe(&whole(&recording), &settings(&[], &[]), &view);
    assert_eq!(
        (&light.probe["dark"], &dark.probe["dark"]),
        (&json!(false), &json!(true))
    );
    let contrast = |seen: &Value, text: &Value| {
        let (ground, text) = (luminance(&seen["colours"][0]), luminance(text));
        (ground.max(text) + 0.05) / (ground.min(text) + 0.05)
    };
    for (seen, is_dark) in [(&light.probe, false), (&dark.probe, true)] {
        let ground = luminance(&seen["colours"][0]);
        assert_eq!(ground < 0.1, is_dark, "{ground}");
        // The enhanced contrast of WCAG 2.1 for text, the minimum for faults.
        assert!(contrast(seen, &seen["colours"][1]) >= 7.0);
        assert!(contrast(seen, &seen["faultColour"]) >= 4.5);
    }
}

/// The relative luminance of `rgb(r, g, b)`, as in WCAG 2.1.
fn luminance(colour: &Value) -> f64 {
    let text = colour.as_str().unwrap();
    let inner = text.trim_start_matches("rgb(").trim_end_matches(')');
    let channels = inner.split(", ").map(|channel| {
        let value: f64 = channel.parse::<f64>().unwrap() / 255.0;
        match value <= 0.03928 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    });
    let weights = [0.2126, 0.7152, 0.0722];
    channels
        .zip(weights)
        .map(|(value, weight)| value * weight)
        .sum()
}

/// What came before the part is in the document all the same.
fn part_of_a_session() {
    let recording = eventful(Mask::default());
    let steps = story(&recording);
    let last = number(&steps, |step| step.words == "update ok, version 12");
    let cut = Page {
        title: "cut",
        from: Duration::from_secs(300),
        until: Some(Duration::from_secs(314)),
    };
    let page = page(&recording, cut);
    let script = format!("window.PROBE_LITTLE = true; {}", settings(&[], &[last]));
    let seen = probe(&page, &script, &DESK);
    assert_eq!(seen.console, [""; 0]);
    assert_eq!(seen.probe["count"], "4 steps");
    let panel = &seen.probe["panels"][last.to_string()];
    let leaves = panel["leaves"].as_array().unwrap();
    assert!(leaves.contains(&json!(["", "level: 40"])), "{leaves:?}");
    assert!(
        leaves.contains(&json!(["changed", "~updateCount: 1 → 3"])),
        "{leaves:?}"
    );
    assert!(
        leaves.contains(&json!(["removed", "−updateCount11: \"shadow\""])),
        "{leaves:?}"
    );
}

/// It stays usable: a few rows exist at a time, and the page is of a reasonable size.
fn ten_thousand_exchanges() {
    let recording = long(10_000);
    let page = whole(&recording);
    assert!(page.len() < 16 << 20, "{} bytes", page.len());
    let steps = story(&recording);
    assert!(steps.len() > 40_000);
    let little = format!("window.PROBE_LITTLE = true; {}", settings(&[], &[]));
    let seen = probe(&page, &little, &DESK);
    assert_eq!(seen.console, [""; 0]);
    let count = format!("{} of {}", steps.len() - 1, steps.len());
    assert_eq!(seen.probe["count"], count);
    assert!(seen.probe["drawn"].as_u64() < Some(100), "{seen:?}");
}

/// A document is that of hundreds of differences, in the whole session and in the end of it.
fn document_after_many_changes() {
    let recording = long(300);
    let steps = story(&recording);
    let last = number(&steps, |step| step.words == "update ok, version 300");
    let parts = [Duration::ZERO, steps[usize::try_from(last).unwrap() - 1].at];
    for from in parts {
        let page = page(
            &recording,
            Page {
                from,
                ..Page::default()
            },
        );
        let little = format!("window.PROBE_LITTLE = true; {}", settings(&[], &[last]));
        let seen = probe(&page, &little, &DESK);
        assert_eq!(seen.console, [""; 0]);
        let leaves = &seen.probe["panels"][last.to_string()]["leaves"];
        let expected = json!([
            ["", "reported: "],
            ["changed", "~temperature: 29.0 → 29.1"],
            ["changed", "~updateCount: 290 → 291"],
            ["", "updateCount11: \"shadow\""],
        ]);
        assert_eq!(*leaves, expected);
    }
}

/// So many reports after another, each answered.
fn long(exchanges: u32) -> String {
    let mut played = Played::new(Mask::default());
    let shadow = played.shadow();
    played.run(Duration::from_secs(1));
    for count in 0..exchanges {
        let state = json!({"updateCount": count, "temperature": f64::from(count % 400) / 10.0});
        played.engine.report(played.now, shadow, &state).unwrap();
        let pause = if count % 50 == 0 { 20_000 } else { 200 };
        played.run(Duration::from_millis(pause));
        played.events.clear();
    }
    played.recording()
}
