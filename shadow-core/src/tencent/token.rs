//! Client tokens: the text that pairs a reply with its request.

use alloc::string::String;
use core::fmt::Write;

/// Appends `{nonce}-{number}`: eight lower-case hex digits that tell this run of the device from
/// earlier ones, and the request's number in decimal. At most 29 bytes.
///
/// The vendor's SDKs begin at `-0` in every run, so a late reply of the last run would match a
/// request of this one; the nonce is what prevents that.
///
/// ```
/// let mut token = String::new();
/// shadow_core::tencent::token::write_token(0x00c0_ffee, 7, &mut token);
/// assert_eq!(token, "00c0ffee-7");
/// ```
pub fn write_token(nonce: u32, number: u64, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{nonce:08x}-{number}");
}
