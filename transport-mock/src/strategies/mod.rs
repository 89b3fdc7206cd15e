//! Strategies for proptest: documents, patches, faults, scripts of faults, and schedules.
//!
//! With the cargo feature `proptest`, which is off by default: it is for a user's tests, not for a
//! program that serves the cloud. The strategies are of the version of proptest that
//! [`proptest`] is.
//!
//! Each strategy says what it gives and how it shrinks. What all of them have in common: what is
//! found to fail gets shorter before it gets simpler, and simpler is earlier, on the first device,
//! and milder.
//!
//! ```
//! use proptest::prelude::*;
//! use transport_mock::TestCloud;
//! use transport_mock::strategies::{acts, document, patch};
//!
//! proptest! {
//!     #![proptest_config(ProptestConfig::with_cases(16))]
//!     // #[test]
//!     fn whatever_is_reported_arrives(
//!         report in patch(),
//!         acts in acts(1, document()),
//!     ) {
//!         let cloud = TestCloud::new();
//!         let reported = report.clone();
//!         cloud.boot(move |client, _events, _clock| {
//!             let reported = reported.clone();
//!             async move {
//!                 client.own_shadow().unwrap().report(&reported).await.unwrap();
//!                 std::future::pending::<()>().await;
//!             }
//!         });
//!         cloud.play(&acts);
//!         cloud.rest();
//!         let names = |value: &serde_json::Value, nulls: bool| -> Vec<String> {
//!             let members = value.as_object().unwrap().iter();
//!             members.filter(|m| nulls || !m.1.is_null()).map(|m| m.0.clone()).collect()
//!         };
//!         prop_assert_eq!(names(&cloud.reported(), true), names(&report, false));
//!     }
//! }
//! whatever_is_reported_arrives();
//! ```

mod acts;
mod fault;
mod json;
mod schedule;
mod tree;

/// The crate that the strategies are for.
pub use ::proptest;

pub use acts::acts;
pub use fault::{any_fault, fault, fault_script};
pub use json::{document, object, patch, patch_of};
pub use schedule::{random_script, schedule, shrink_script};
