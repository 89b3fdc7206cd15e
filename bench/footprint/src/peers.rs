//! What others have published of themselves.
//!
//! Each library's repository has a table of its code size by file in
//! `docs/doxygen/include/size_table.md`, made with GCC for ARM Cortex-M and -Os; these are their
//! totals, in units of 1,024 bytes with one decimal:
//!
//! | library | version | KiB |
//! |---|---|--:|
//! | FreeRTOS/coreMQTT, MQTT 5 | v5.0.2 | 18.9 |
//! | FreeRTOS/coreMQTT, MQTT 3.1.1 | v2.3.1 | 7.0 |
//! | aws/Device-Shadow-for-AWS-IoT-embedded-sdk | v1.4.2 | 0.9 |
//! | FreeRTOS/coreJSON | v3.3.1 | 2.5 |
//! | FreeRTOS/backoffAlgorithm | v1.4.1 | 0.1 |

const COMMON: f64 = 0.9 + 2.5 + 0.1;

/// The sums of what a device would link, by name.
pub(crate) const CODE: [(&str, f64); 2] = [
    (
        "coreMQTT v2.3.1 + AWS shadow, JSON, backoff",
        bytes(7.0 + COMMON),
    ),
    (
        "coreMQTT v5.0.2 + AWS shadow, JSON, backoff",
        bytes(18.9 + COMMON),
    ),
];

const fn bytes(kibibytes: f64) -> f64 {
    kibibytes * 1_024.0
}
