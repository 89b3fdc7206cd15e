//! What happens to devices, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TestCloud;
use crate::simulation::fault::Fault;

/// One thing that happens in a [`TestCloud`].
///
/// Plain data: it prints, compares, and goes to a file and back as JSON, so that a schedule that
/// found a bug can be kept. `strategies::acts` (feature `proptest`) makes schedules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// Time passes. With 0 what can happen at this instant happens.
    Wait {
        /// Milliseconds.
        millis: u32,
    },
    /// An application desires something; see [`TestDevice::desire`](super::TestDevice::desire).
    Desire {
        /// Of which device.
        device: usize,
        /// A JSON object.
        values: Value,
    },
    /// Something goes wrong.
    Fault(Fault),
}

/// Longer than the engine's longest pause before it connects again, ten minutes, and than it takes
/// both ends to notice a dead link.
const REST: Duration = Duration::from_secs(1_800);

impl TestCloud {
    /// Has these things happen, one after another.
    ///
    /// # Panics
    /// When a task does; as [`inject`](Self::inject), and [`desire`](Self::desire).
    pub fn play(&self, acts: &[Act]) {
        for act in acts {
            match act {
                Act::Wait { millis } => self.run_for(Duration::from_millis((*millis).into())),
                Act::Desire { device, values } => self.of(*device).desire(values),
                Act::Fault(fault) => self.inject(fault),
            }
        }
    }

    /// Ends all faults ([`lift`](Self::lift)) and lets half an hour pass: every device that can get
    /// over what happened has done so by then, unless its engine is set up to take longer.
    ///
    /// # Panics
    /// When a task does.
    pub fn rest(&self) {
        self.lift();
        self.run_for(REST);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_goes_to_text_and_back() {
        let acts = [
            Act::Desire {
                device: 1,
                values: json!({"hue": null}),
            },
            Act::Wait { millis: 7 },
            Act::Fault(Fault::Deaf {
                device: 0,
                millis: 3,
            }),
        ];
        let text = serde_json::to_string(&acts).unwrap();
        let expected = concat!(
            r#"[{"Desire":{"device":1,"values":{"hue":null}}},{"Wait":{"millis":7}},"#,
            r#"{"Fault":{"Deaf":{"device":0,"millis":3}}}]"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Vec<Act>>(&text).unwrap(), acts);
    }
}
