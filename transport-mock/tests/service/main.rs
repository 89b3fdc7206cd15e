//! The model of the shadow service, through its public interface.

#[cfg(test)]
mod application;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod recorded;

#[cfg(test)]
mod support {
    use serde_json::Value;
    use shadow_core::WallTime;
    use shadow_core::tencent::ShadowName;
    use transport_mock::service::ShadowService;

    pub(crate) fn name() -> ShadowName {
        ShadowName::new("ABCDE12345", "test01").unwrap()
    }

    pub(crate) fn at(millis: u64) -> WallTime {
        WallTime::from_unix_millis(millis)
    }

    /// All payloads that answer `request`, each without the newline that it must end in.
    pub(crate) fn answers(cloud: &mut ShadowService, millis: u64, request: &str) -> Vec<String> {
        cloud
            .handle_request(at(millis), &name(), request.as_bytes())
            .into_iter()
            .map(line)
            .collect()
    }

    /// The one payload that answers `request`.
    pub(crate) fn reply(cloud: &mut ShadowService, millis: u64, request: &str) -> String {
        let [reply] = <[String; 1]>::try_from(answers(cloud, millis, request)).unwrap();
        reply
    }

    pub(crate) fn line(payload: Vec<u8>) -> String {
        let mut text = String::from_utf8(payload).unwrap();
        assert_eq!(text.pop(), Some('\n'), "{text}");
        assert!(!text.contains('\n'), "{text}");
        text
    }

    pub(crate) fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }
}
