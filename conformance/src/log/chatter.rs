//! Lines that are known by their text alone: where each one is written, and by which thread.
//!
//! Two tables, one of lines that say nothing about the protocol and one of complaints. A line that
//! is in neither, and that the grammar does not read, is unknown: nothing is guessed.

use super::statement::{Statement, Thread};
use Thread::{Application, Callback, Network};

/// One known line. In `form`, `*` stands for any text on the line and `**`, at the end, for any
/// text at all, newlines included.
struct Chatter {
    form: &'static str,
    source: &'static str,
    thread: Thread,
}

const fn line(form: &'static str, source: &'static str, thread: Thread) -> Chatter {
    Chatter {
        form,
        source,
        thread,
    }
}

/// Lines that say nothing about the protocol.
const ENVIRONMENT: &[Chatter] = &[
    line("device_info file *", "hub/utils/providers.py", Application),
    line(
        "device name: *, product id: *, product secret: *",
        "hub/utils/providers.py",
        Application,
    ),
    line("EventCbThread start", "hub/manager/manager.py", Application),
    line(
        "EventCbThread try start",
        "hub/manager/manager.py",
        Application,
    ),
    line("LoopThread already", "hub/manager/manager.py", Application),
    line("thread runnable enter", "hub/manager/manager.py", Callback),
    line("thread runnable exit", "hub/manager/manager.py", Callback),
    line("connect with key...", "hub/protocol/protocol.py", Network),
    line(
        "connect with certificate...",
        "hub/protocol/protocol.py",
        Network,
    ),
    line("dynreg url *", "hub/hub.py", Application),
    line("动态注册请求: **", "hub/hub.py", Application),
    line("encrypt type: *", "hub/hub.py", Application),
    line("http request url: *", "hub/hub.py", Application),
    line("request_text:*", "hub/hub.py", Application),
    line("resp:*", "hub/hub.py", Application),
    line("http deinit do nothing...", "hub/hub.py", Application),
    line(
        "sign base64 *",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "client:* online success",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "client:* offline success",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "client:* bind success",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "client:* unbind success",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "client:* get bind list success",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "[event post] *",
        "explorer/services/template/template.py",
        Application,
    ),
    line(
        "[template report] *",
        "explorer/services/template/template.py",
        Application,
    ),
    line("[ota report] *", "hub/services/ota/ota.py", Application),
    line("* test start...", "hub/sample/*/example_*.py", Application),
    line(
        "* test success...",
        "hub/sample/*/example_*.py",
        Application,
    ),
    line(
        "current time:*",
        "hub/sample/mqtt/example_mqtt.py",
        Application,
    ),
    line(
        "online success",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "offline success",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "bind success",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "unbind success",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "gateway subdev subscribe success",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "subdev id:*, name:*",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "[rrpc reply] *",
        "hub/sample/rrpc/example_rrpc.py",
        Callback,
    ),
    line(
        "rrpc while...",
        "hub/sample/rrpc/example_rrpc.py",
        Application,
    ),
    line(
        "broadcast wait",
        "hub/sample/broadcast/example_broadcast.py",
        Application,
    ),
    line(
        "wait reply...",
        "hub/sample/scenarized/example_door.py",
        Application,
    ),
    line(
        "publish {*}",
        "hub/sample/scenarized/example_door.py",
        Application,
    ),
    line(
        "[air is open] temperature *",
        "hub/sample/scenarized/example_aircond.py",
        Application,
    ),
    line(
        "[air is close] temperature *",
        "hub/sample/scenarized/example_aircond.py",
        Application,
    ),
    line(
        "publish ack id *",
        "hub/sample/ota/example_ota.py",
        Callback,
    ),
    line(
        "wait for ack...",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "wait for ota upgrade command",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "burning firmware...",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "The firmware download success",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line("total read:*", "hub/sample/ota/example_ota.py", Application),
    line(
        "local_size:*,local_ver:*,re_ver:*",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "info file not exists",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line("resource subscribe success", "hub/hub.py", Application),
    line(
        "resource_create_upload_task create success",
        "hub/hub.py",
        Application,
    ),
    line(
        "resource_report_upload_progress success",
        "hub/hub.py",
        Application,
    ),
    line(
        "[resource manage] resource_report_upload_progress finish",
        "hub/hub.py",
        Application,
    ),
    line(
        "The firmware(*) download success",
        "hub/sample/gateway/subdev_ota.py",
        Application,
    ),
    line(
        "* progress success ...",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
    line(
        "* progress finish ...",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
];

/// Complaints.
const FAULTS: &[Chatter] = &[
    line(
        "LoopThread thread Exception:*",
        "hub/manager/manager.py",
        Network,
    ),
    line("queue full: *", "hub/manager/manager.py", Network),
    line(
        "post_message fail started:*,exited:*",
        "hub/manager/manager.py",
        Network,
    ),
    line("ssl init error:*", "hub/protocol/protocol.py", Network),
    line(
        "mqtt connect with async error:*",
        "hub/protocol/protocol.py",
        Network,
    ),
    line("device secret invalid!", "hub/hub.py", Application),
    line("Set failed: client is None", "hub/hub.py", Application),
    line(
        "please set logger parameter:\n\tfilePath: log file path.\n\tmaxBytes: bytes of one file.\n\
         \tbackupCount: file number.",
        "hub/hub.py",
        Application,
    ),
    line(
        "on_connect process raise exception:*",
        "hub/hub.py",
        Callback,
    ),
    line("no callback for topic *", "hub/hub.py", Callback),
    line(
        "no callback for topic_split *",
        "hub/services/rrpc/rrpc.py",
        Callback,
    ),
    line("unknow topic:*", "hub/hub.py", Callback),
    line("Reserved: template raw topic", "hub/hub.py", Callback),
    line(
        "[template] not found template handle for client:*",
        "hub/hub.py",
        Callback,
    ),
    line(
        "[* not found * handle for client:*",
        "hub/hub.py",
        Application,
    ),
    line("[*] publish error:rc:*", "hub/hub.py", Application),
    line("[*] subscribe error:rc:*", "hub/hub.py", Application),
    line("topic_publish error:rc:*", "hub/hub.py", Application),
    line(
        "topic_subscribe error:rc:*",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line(
        "client:* fail",
        "hub/services/gateway/gateway.py",
        Application,
    ),
    line("encryptionType is other type", "hub/hub.py", Application),
    line("encryptionType is null", "hub/hub.py", Application),
    line("payload is null", "hub/hub.py", Application),
    line("code: *, error message: *", "hub/hub.py", Application),
    line(
        "type not support",
        "hub/services/shadow/shadow.py",
        Application,
    ),
    line(
        "shadowInit error",
        "hub/sample/shadow/example_shadow.py",
        Application,
    ),
    line(
        "getShadow error",
        "hub/sample/shadow/example_shadow.py",
        Application,
    ),
    line(
        "shadowUpdate error",
        "hub/sample/shadow/example_shadow.py",
        Application,
    ),
    line(
        "wait for reply timeout",
        "hub/sample/shadow/example_shadow.py",
        Application,
    ),
    line("* test fail...", "hub/sample/*/example_*.py", Application),
    line(
        "mqtt connect fail...",
        "hub/sample/scenarized/example_*.py",
        Application,
    ),
    line(
        "mqtt disconnect",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "online fail",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "offline fail",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "bind fail",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "unbind fail",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "get bind list error",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "gateway subdev subscribe fail",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "broadcast init error",
        "hub/sample/broadcast/example_broadcast.py",
        Application,
    ),
    line(
        "rrpcInit error",
        "hub/sample/rrpc/example_rrpc.py",
        Application,
    ),
    line("Caught exception in *: *", "paho/mqtt/client.py", Network),
    line(
        "Error: Unrecognised command *",
        "paho/mqtt/client.py",
        Network,
    ),
    line(
        "[resource manage] resource_create_upload_task fail",
        "hub/hub.py",
        Application,
    ),
    line(
        "[resource manage] resource_report_upload_progress fail",
        "hub/hub.py",
        Application,
    ),
    line(
        "resource upload url invalid param.",
        "hub/hub.py",
        Application,
    ),
    line(
        "put request fail status code:*reason:*",
        "hub/hub.py",
        Application,
    ),
    line(
        "resource_report_upload_progress finish error",
        "hub/hub.py",
        Application,
    ),
    line("ota report upgrade(*) fail", "hub/hub.py", Application),
    line("[ota] report version fail", "hub/hub.py", Application),
    line(
        "not support report_type:*",
        "hub/services/ota/ota.py",
        Application,
    ),
    line("message is none", "hub/services/ota/ota.py", Application),
    line("buf is none", "hub/services/ota/ota.py", Application),
    line(
        "md5 handle is uninitialized",
        "hub/services/ota/ota.py",
        Application,
    ),
    line(
        "https connect error:*",
        "hub/services/ota/ota.py",
        Application,
    ),
    line(
        "http connect error:*",
        "hub/services/ota/ota.py",
        Application,
    ),
    line("http read error:*", "hub/services/ota/ota.py", Application),
    line("http_init error:*", "hub/services/ota/ota.py", Application),
    line(
        "ota state is not fetching",
        "hub/services/ota/ota.py",
        Application,
    ),
    line(
        "cannot found process id from topic:*",
        "hub/services/rrpc/rrpc.py",
        Callback,
    ),
    line(
        "file name is none",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "cal md5 error",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "write size error",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "wait report pub ack timeout!",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "ota_ioctl_number fail*",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "save data to file fail",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "download fail rc:*",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "update local fw info error",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "The firmware is invalid,state:*",
        "hub/sample/ota/example_ota.py",
        Application,
    ),
    line(
        "The firmware(*) is invalid,state:*",
        "hub/sample/gateway/subdev_ota.py",
        Application,
    ),
    line(
        "Error: unable to start thread",
        "hub/sample/gateway/example_gateway.py",
        Application,
    ),
    line(
        "resourceInit error",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
    line(
        "resource create upload task fail ...",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
    line(
        "create_upload_task_rsp url is empty",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
    line(
        "* progress fail ...",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
    line(
        "* progress error ...",
        "hub/sample/resourceManage/example_resourceManage.py",
        Application,
    ),
];

/// Openings after which the SDK prints a secret, and where in the line the secret begins.
const SECRETS: &[(&str, &str)] = &[
    ("device name: ", "product secret: "),
    ("动态注册请求: ", "动态注册请求: "),
    ("sign base64 ", "sign base64 "),
    ("dynamic register success, psk: ", "psk: "),
];

/// The statement of a line that is in one of the tables.
pub(super) fn recognize(message: &str) -> Option<Statement> {
    let text = message.trim();
    if let Some(found) = ENVIRONMENT.iter().find(|known| matches(known.form, text)) {
        let Chatter { source, thread, .. } = *found;
        return Some(Statement::Environment {
            text: text.to_owned(),
            source,
            thread,
        });
    }
    let Chatter { source, thread, .. } = *FAULTS.iter().find(|known| matches(known.form, text))?;
    Some(Statement::Fault {
        text: text.to_owned(),
        source,
        thread,
    })
}

/// Whether the text is the beginning of a line in the tables, or one that was cut short.
pub(super) fn begins(text: &str) -> bool {
    let text = text.trim();
    ENVIRONMENT.iter().chain(FAULTS).any(|known| {
        let opening = known.form.split('*').next().unwrap_or_default();
        !opening.is_empty() && (opening.starts_with(text) || text.starts_with(opening))
    })
}

/// Takes out the secret of a line that is known to print one.
pub(super) fn withhold_secrets(message: &mut String) {
    for (opening, marker) in SECRETS {
        if message.trim_start().starts_with(opening) {
            withhold_after(message, marker);
        }
    }
}

/// Takes out what may be a secret from a text of unknown form.
pub(super) fn withhold_possible_secrets(text: &mut String) {
    for (_, marker) in SECRETS {
        withhold_after(text, marker);
    }
    withhold_after(text, "device secret: ");
}

fn withhold_after(text: &mut String, marker: &str) {
    if let Some(start) = text.find(marker) {
        text.truncate(start + marker.len());
        text.push_str("(withheld)");
    }
}

/// Whether the text has the form.
fn matches(form: &str, text: &str) -> bool {
    let (form, lines) = match form.strip_suffix("**") {
        Some(opening) => (opening, None),
        None => (form, Some(form.matches('\n').count())),
    };
    if lines.is_some_and(|lines| text.matches('\n').count() != lines) {
        return false;
    }
    let mut parts = form.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return lines.is_none() || rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_match_as_written() {
        for (form, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("abc*", "abcd", true),
            ("abc*", "abc", true),
            ("abc*", "ab", false),
            ("abc*", "abcd\ne", false),
            ("abc**", "abcd\ne", true),
            ("* test start...", "shadow test start...", true),
            ("* test start...", "shadow test started", false),
            ("a:*, b:*", "a:1, b:2", true),
            ("a:*, b:*", "a:1, c:2", false),
            ("a\nb", "a\nb", true),
        ] {
            assert_eq!(matches(form, text), expected, "{form:?} {text:?}");
        }
    }

    #[test]
    fn no_line_is_listed_twice() {
        let mut forms: Vec<_> = ENVIRONMENT
            .iter()
            .chain(FAULTS)
            .map(|known| known.form)
            .collect();
        let count = forms.len();
        forms.sort_unstable();
        forms.dedup();
        assert_eq!(forms.len(), count);
    }
}
