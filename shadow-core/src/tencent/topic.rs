//! A device's name in the cloud and the topics, client id and host name made from it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::limits::{DEVICE_NAME_LENGTH, PRODUCT_ID_LENGTH};

const OPERATION: &str = "$shadow/operation/";
const RESULT: &str = "$shadow/operation/result/";
const HOST: &str = ".iotcloud.tencentdevices.com";

/// Which shadow: product id and device name.
///
/// Both are checked when the value is made, so every topic of it is valid, names nobody else's
/// shadow and stays within 255 bytes. Kept as one text, which is the MQTT client id.
///
/// ```
/// use shadow_core::tencent::ShadowName;
///
/// let name = ShadowName::new("PYSDKCAP01", "test01")?;
/// assert_eq!(name.operation_topic(), "$shadow/operation/PYSDKCAP01/test01");
/// assert_eq!(name.result_topic(), "$shadow/operation/result/PYSDKCAP01/test01");
/// assert_eq!(name.client_id(), "PYSDKCAP01test01");
/// assert_eq!(name.host_name(), "PYSDKCAP01.iotcloud.tencentdevices.com");
/// # Ok::<(), shadow_core::tencent::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShadowName {
    client_id: Box<str>,
    product_id_length: u8,
}

impl ShadowName {
    /// Checks and joins the two names: product id 1 to 10 bytes, device name 1 to 48 bytes
    /// (634/15241 says characters; the vendor's names are ASCII), neither with `/`, `+`, `#` or a
    /// control character, which would make the topic another one or none.
    ///
    /// # Errors
    /// [`NameError`], naming the part and the limit.
    pub fn new(product_id: &str, device_name: &str) -> Result<ShadowName, NameError> {
        check(NamePart::ProductId, product_id)?;
        check(NamePart::DeviceName, device_name)?;
        let mut client_id = String::with_capacity(product_id.len() + device_name.len());
        client_id.push_str(product_id);
        client_id.push_str(device_name);
        Ok(ShadowName {
            client_id: client_id.into_boxed_str(),
            product_id_length: product_id.len() as u8,
        })
    }

    /// The product id.
    #[must_use]
    pub fn product_id(&self) -> &str {
        self.parts().0
    }

    /// The device name within the product.
    #[must_use]
    pub fn device_name(&self) -> &str {
        self.parts().1
    }

    /// The MQTT client id: product id and device name without anything between (634/46346).
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where the device publishes its requests: `$shadow/operation/{productId}/{deviceName}`
    /// (634/14072).
    #[must_use]
    pub fn operation_topic(&self) -> String {
        self.topic(OPERATION)
    }

    /// Where replies and deltas arrive: `$shadow/operation/result/{productId}/{deviceName}`
    /// (634/14072).
    #[must_use]
    pub fn result_topic(&self) -> String {
        self.topic(RESULT)
    }

    /// The server for this product: `{productId}.iotcloud.tencentdevices.com` (634/46346).
    #[must_use]
    pub fn host_name(&self) -> String {
        let mut host = String::from(self.product_id());
        host.push_str(HOST);
        host
    }

    /// Whether `topic` is this shadow's operation topic. Takes no memory.
    #[must_use]
    pub fn is_operation_topic(&self, topic: &str) -> bool {
        self.is_topic(OPERATION, topic)
    }

    /// Whether `topic` is this shadow's result topic. Takes no memory.
    #[must_use]
    pub fn is_result_topic(&self, topic: &str) -> bool {
        self.is_topic(RESULT, topic)
    }

    /// The product id and device name in a result topic; `None` for every other topic. Takes no
    /// memory, and checks neither.
    pub(crate) fn split_result_topic(topic: &str) -> Option<(&str, &str)> {
        split(topic, RESULT)
    }

    /// The shadow whose operation topic this is; `None` for every other topic, result topics too.
    #[must_use]
    pub fn from_operation_topic(topic: &str) -> Option<ShadowName> {
        let (product_id, device_name) = split(topic, OPERATION)?;
        ShadowName::new(product_id, device_name).ok()
    }

    /// The shadow whose result topic this is; `None` for every other topic.
    #[must_use]
    pub fn from_result_topic(topic: &str) -> Option<ShadowName> {
        let (product_id, device_name) = split(topic, RESULT)?;
        ShadowName::new(product_id, device_name).ok()
    }

    /// Product id and device name.
    pub(crate) fn parts(&self) -> (&str, &str) {
        let length = usize::from(self.product_id_length);
        // It was so long when it was taken over.
        (self.client_id.split_at_checked(length)).unwrap_or((&self.client_id, ""))
    }

    fn is_topic(&self, prefix: &str, topic: &str) -> bool {
        let (product_id, device_name) = self.parts();
        let names = topic.as_bytes().strip_prefix(prefix.as_bytes());
        let names = names.and_then(|names| names.split_at_checked(product_id.len()));
        names.is_some_and(|(first, rest)| match rest {
            [b'/', second @ ..] => {
                second == device_name.as_bytes() && first == product_id.as_bytes()
            }
            _ => false,
        })
    }

    fn topic(&self, prefix: &str) -> String {
        let (product_id, device_name) = self.parts();
        let mut topic = String::with_capacity(prefix.len() + self.client_id.len() + 1);
        topic.push_str(prefix);
        topic.push_str(product_id);
        topic.push('/');
        topic.push_str(device_name);
        topic
    }
}

/// `productId/deviceName`.
impl fmt::Display for ShadowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product_id(), self.device_name())
    }
}

impl fmt::Debug for ShadowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the two parts of a [`ShadowName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NamePart {
    /// The product id.
    ProductId,
    /// The device name.
    DeviceName,
}

impl NamePart {
    /// The longest this part may be, in bytes.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            NamePart::ProductId => PRODUCT_ID_LENGTH,
            NamePart::DeviceName => DEVICE_NAME_LENGTH,
        }
    }
}

impl fmt::Display for NamePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NamePart::ProductId => "productId",
            NamePart::DeviceName => "deviceName",
        })
    }
}

/// Why two names are not a [`ShadowName`]. The caller's configuration is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NameError {
    /// The part has no characters.
    Empty {
        /// Which part.
        part: NamePart,
    },
    /// The part is longer than [`NamePart::limit`].
    TooLong {
        /// Which part.
        part: NamePart,
        /// Its length in bytes.
        length: usize,
    },
    /// The part has a character that would change the topic.
    Character {
        /// Which part.
        part: NamePart,
        /// The first such character.
        character: char,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            NameError::Empty { part } => write!(f, "{part} is empty"),
            NameError::TooLong { part, length } => {
                let limit = part.limit();
                write!(
                    f,
                    "{part} has {length} characters, at most {limit} are allowed"
                )
            }
            NameError::Character { part, character } => write!(
                f,
                "{part} contains {character:?}; '/', '+', '#' and control characters are not allowed"
            ),
        }
    }
}

impl core::error::Error for NameError {}

fn check(part: NamePart, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { part });
    }
    let breaks_topic = |c: &char| matches!(c, '/' | '+' | '#') || c.is_control();
    if let Some(character) = text.chars().find(breaks_topic) {
        return Err(NameError::Character { part, character });
    }
    let length = text.len();
    if length > part.limit() {
        return Err(NameError::TooLong { part, length });
    }
    Ok(())
}

/// `{prefix}{productId}/{deviceName}`, split; a third level is not a shadow topic.
fn split<'a>(topic: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let (product_id, device_name) = topic.strip_prefix(prefix)?.split_once('/')?;
    (!device_name.contains('/')).then_some((product_id, device_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tencent::limits::TOPIC_LENGTH;

    /// Topics, client id as in the vendor's printed logs, with the ids of the recorded session.
    #[test]
    fn topics_are_the_recorded_ones() {
        let name = ShadowName::new("PYSDKCAP01", "test01").unwrap();
        assert_eq!(
            name.operation_topic(),
            "$shadow/operation/PYSDKCAP01/test01"
        );
        assert_eq!(
            name.result_topic(),
            "$shadow/operation/result/PYSDKCAP01/test01"
        );
        assert_eq!(name.client_id(), "PYSDKCAP01test01");
        assert_eq!(name.product_id(), "PYSDKCAP01");
        assert_eq!(name.device_name(), "test01");
        assert!(name.is_operation_topic("$shadow/operation/PYSDKCAP01/test01"));
        assert!(!name.is_operation_topic("$shadow/operation/PYSDKCAP01/test02"));
        assert!(!name.is_operation_topic("$shadow/operation/result/PYSDKCAP01/test01"));
        assert!(name.is_result_topic("$shadow/operation/result/PYSDKCAP01/test01"));
        assert!(!name.is_result_topic("$shadow/operation/result/PYSDKCAP01/test02"));
        assert!(!name.is_result_topic("$shadow/operation/PYSDKCAP01/test01"));
    }

    #[test]
    fn topics_parse_back() {
        let name = ShadowName::new("PYSDKCAP01", "test01").unwrap();
        assert_eq!(
            ShadowName::from_operation_topic(&name.operation_topic()),
            Some(name.clone())
        );
        assert_eq!(
            ShadowName::from_result_topic(&name.result_topic()),
            Some(name)
        );
        for topic in [
            "$shadow/operation/result/PYSDKCAP01/test01",
            "$shadow/operation/PYSDKCAP01",
            "$shadow/operation/PYSDKCAP01/",
            "$shadow/operation//test01",
            "$shadow/operation/PYSDKCAP012/test01",
            "shadow/operation/PYSDKCAP01/test01",
            "$shadow/operation/+/test01",
            "",
        ] {
            assert_eq!(ShadowName::from_operation_topic(topic), None, "{topic}");
        }
    }

    /// A product whose id is "result" cannot take another shadow's result topic for its own.
    #[test]
    fn the_product_named_result_is_told_apart() {
        let name = ShadowName::new("result", "x").unwrap();
        assert_eq!(
            ShadowName::from_operation_topic(&name.operation_topic()),
            Some(name)
        );
        assert_eq!(
            ShadowName::from_result_topic("$shadow/operation/result/x"),
            None
        );
    }

    #[test]
    fn limits_hold_to_the_last_byte() {
        let longest = ShadowName::new(&"p".repeat(10), &"d".repeat(48)).unwrap();
        assert!(longest.result_topic().len() <= TOPIC_LENGTH);
        for (product_id, device_name, message) in [
            ("", "d", "productId is empty"),
            ("p", "", "deviceName is empty"),
            (
                "ppppppppppp",
                "d",
                "productId has 11 characters, at most 10 are allowed",
            ),
            (
                "p",
                "ddddddddddddddddddddddddddddddddddddddddddddddddd",
                "deviceName has 49 characters, at most 48 are allowed",
            ),
            (
                "a/b",
                "d",
                "productId contains '/'; '/', '+', '#' and control characters are not allowed",
            ),
            (
                "p",
                "a\0",
                "deviceName contains '\\0'; '/', '+', '#' and control characters are not allowed",
            ),
            (
                "p",
                "#",
                "deviceName contains '#'; '/', '+', '#' and control characters are not allowed",
            ),
        ] {
            let error = ShadowName::new(product_id, device_name).unwrap_err();
            assert_eq!(alloc::format!("{error}"), message);
        }
    }
}
