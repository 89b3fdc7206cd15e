//! The page as text; `browser` looks at it in a browser.

use std::time::Duration;

use conformance::show::{Page, PageError, Story, write_page};
use serde_json::{Value, json};
use shadow_core::recording::Mask;

use crate::session::{HOSTILE, eventful, reader, story};

fn page(recording: &str, page: Page<'_>) -> String {
    let mut written = Vec::new();
    write_page(&mut Story::new(reader(recording)), page, &mut written).unwrap();
    String::from_utf8(written).unwrap()
}

/// The JSON in the page.
fn data(page: &str) -> &str {
    let start = r#"<script type="application/json" id="data">"#;
    let (_, after) = page.split_once(start).unwrap();
    after.split_once("</script>").unwrap().0
}

/// Nothing in the page names a place to load anything from, or makes text a part of the page.
#[test]
fn page_loads_nothing() {
    let page = page(&eventful(Mask::default()), Page::default());
    let own = page.replace(data(&page), "");
    let is_code = |line: &&str| !line.trim_start().starts_with("// ");
    let own: Vec<&str> = own.lines().filter(is_code).collect();
    let own = own.join("\n");
    for word in [
        "http:",
        "https:",
        "//",
        "src=",
        "href=",
        "url(",
        "@import",
        "<link",
        "<base",
        "<iframe",
        "import(",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "EventSource",
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "eval(",
        "Function(",
        "document.write",
    ] {
        assert!(!own.contains(word), "{word}");
    }
    let policy = r#"content="default-src 'none'; style-src 'sha256-"#;
    assert!(page.contains(policy));
    assert!(!page.contains("unsafe-"));
}

#[test]
fn data_is_json_that_cannot_end_its_element() {
    let recording = eventful(Mask::default());
    let title = HOSTILE;
    let page = page(
        &recording,
        Page {
            title,
            ..Page::default()
        },
    );
    let text = data(&page);
    assert!(!text.contains(['<', '>', '&', '\u{2028}']));
    let data: Value = serde_json::from_str(text).unwrap();
    let steps = data["steps"].as_array().unwrap();
    assert_eq!(steps.len(), story(&recording).len());
    let hostile = steps.iter().filter(|step| step["c"] == HOSTILE);
    assert_eq!(hostile.count(), 2, "sent, and sent again");
    assert_eq!(page.matches("<img").count(), 0);
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn parts_begin_with_what_is_known() {
    let cut = Page {
        from: Duration::from_secs(62),
        until: Some(Duration::from_secs(64)),
        ..Page::default()
    };
    let page = page(&eventful(Mask::default()), cut);
    let data: Value = serde_json::from_str(data(&page)).unwrap();
    assert_eq!(data["first"], 29);
    assert_eq!(data["steps"].as_array().unwrap().len(), 6);
    assert_eq!(data["known"][0][0], "EXAMPLE001/test01");
    assert_eq!(data["known"][0][1], 9);
    let holds = [
        json!([["reported", "light", "level"], null, "40"]),
        json!([["reported", "light", "on"], null, "false"]),
        json!([["reported", "updateCount"], null, "1"]),
        json!([["reported", "updateCount11"], null, "\"shadow\""]),
    ];
    assert_eq!(data["known"][0][2], json!(holds));
    assert_eq!(data["link"], 3);
}

#[test]
fn empty_and_wrong_recordings() {
    let header = "{\"shadow-recording\":1,\"engine\":\"0.1.0\",\"part\":1,\"mask\":[]}\n";
    let empty = page(header, Page::default());
    let empty: Value = serde_json::from_str(data(&empty)).unwrap();
    assert_eq!(empty["steps"], json!([]));

    let wrong = format!("{header}{{}}\n");
    let mut story = Story::new(reader(&wrong));
    let error = write_page(&mut story, Page::default(), &mut Vec::new()).unwrap_err();
    assert!(matches!(&error, PageError::Story(_)), "{error}");
    assert_eq!(error.to_string(), "session:2:2: there is no `at`");
}
