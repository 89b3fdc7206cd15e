//! Strategies for proptest: documents, patches, faults, scripts of faults, and schedules.
//!
//! With the cargo feature `proptest`, which is off by default: it is for a user's tests, not for a
//! program that serves the cloud. The strategies are of the version of proptest that
//! [`proptest`](crate::strategies::proptest) is.
//!
//! Each strategy says what it gives and how it shrinks. What all of them have in common: what is
//! found to fail gets shorter before it gets simpler, and simpler is earlier, on the first device,
//! and milder.
//!
//! ```
//! use std::time::Duration;
//!
//! use proptest::prelude::*;
//! use transport_mock::TestCloud;
//! use transport_mock::strategies::{fault_script, patch};
//!
//! proptest! {
//!     #![proptest_config(ProptestConfig::with_cases(16))]
//!     // #[test]
//!     fn whatever_is_reported_arrives(
//!         report in patch(),
//!         faults in fault_script(1, Duration::from_secs(60)),
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
//!         cloud.script(faults);
//!         cloud.run_for(Duration::from_secs(60));
//!         cloud.lift();
//!         cloud.run_for(Duration::from_secs(1_800)); // the longest pause, and a dead link's time
//!         let names = |value: &serde_json::Value, nulls: bool| -> Vec<String> {
//!             let members = value.as_object().unwrap().iter();
//!             members.filter(|m| nulls || !m.1.is_null()).map(|m| m.0.clone()).collect()
//!         };
//!         prop_assert_eq!(names(&cloud.reported(), true), names(&report, false));
//!     }
//! }
//! whatever_is_reported_arrives();
//! ```

mod fault;
mod json;
mod schedule;
mod tree;

/// The crate that the strategies are for.
pub use ::proptest;

pub use fault::{any_fault, fault, fault_script};
pub use json::{document, object, patch, patch_of};
pub use schedule::{random_script, schedule, shrink_script};
