//! Everything that is peculiar to Tencent Cloud's IoT Hub: topics, message JSON, credentials,
//! limits. Another vendor's dialect could stand beside this folder.
//!
//! All of it is pure functions and types. Numbers like "634/14072" are pages of the vendor's public
//! documentation: `https://cloud.tencent.com/document/product/634/14072`.

pub mod credentials;
pub mod device_info;
mod envelope;
pub mod limits;
pub mod python_sdk;
pub mod reply;
pub mod request;
pub mod topic;

pub use credentials::{DEFAULT_SDK_APP_ID, Secret, SignatureMethod};
pub use device_info::{Authentication, DeviceInfo, DeviceInfoError};
pub use envelope::{Operation, ParseError};
pub use limits::Limits;
pub use reply::{Body, Document, Message, Timestamp, VERSION_CONFLICT};
pub use request::{Part, Request, Update, UpdateError, UpdatePart};
pub use topic::{NameError, ShadowName};
