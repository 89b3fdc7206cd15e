//! Client tokens: written into requests, recognised in replies.

use alloc::vec::Vec;

use super::shadows::Shadow;
use crate::config::TokenStyle;
use crate::json::{JsonStyle, write_string};
use crate::session::Session;

/// The number of the next token for `shadow`, without taking it.
pub(super) fn peek(style: TokenStyle, session: &Session, shadow: &Shadow) -> u64 {
    match style {
        TokenStyle::Nonce | TokenStyle::FixedNonce(_) => session.tokens_given(),
        TokenStyle::ProductCounter { .. } => shadow.next_token,
    }
}

/// Takes the number that [`peek`] showed.
pub(super) fn take(style: TokenStyle, session: &mut Session, shadow: &mut Shadow) -> u64 {
    match style {
        TokenStyle::Nonce | TokenStyle::FixedNonce(_) => session.take_token(),
        TokenStyle::ProductCounter { .. } => {
            let token = shadow.next_token;
            shadow.next_token = token.wrapping_add(1);
            token
        }
    }
}

/// Appends `{nonce}-{number}` or `{productId}-{number}` as a JSON string.
pub(super) fn append(
    style: TokenStyle,
    session: &Session,
    shadow: &Shadow,
    number: u64,
    json: JsonStyle,
    out: &mut Vec<u8>,
) {
    match style {
        TokenStyle::Nonce | TokenStyle::FixedNonce(_) => {
            out.push(b'"');
            out.extend_from_slice(session.nonce_bytes());
        }
        TokenStyle::ProductCounter { .. } => {
            write_string(shadow.name.product_id(), json, out);
            out.pop(); // The closing quote: the string goes on.
        }
    }
    out.push(b'-');
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.push(b'"');
}

/// The number of a token that this session gave out for `shadow`.
pub(super) fn recognise(
    style: TokenStyle,
    session: &Session,
    shadow: &Shadow,
    text: &str,
) -> Option<u64> {
    let number = text
        .strip_prefix(prefix(style, session, shadow))?
        .strip_prefix('-')?;
    let canonical = number == "0" || !number.starts_with(['0', '+']);
    let number = number.parse().ok().filter(|_| canonical)?;
    (style.first()..peek(style, session, shadow))
        .contains(&number)
        .then_some(number)
}

/// Whether a token is one of the run before, as a reply that was on its way over a restart has.
pub(super) fn is_of_earlier_run(session: &Session, text: &str) -> bool {
    let nonce = session.earlier_nonce();
    let rest = nonce.and_then(|nonce| text.strip_prefix(nonce)?.strip_prefix('-'));
    rest.is_some()
}

fn prefix<'a>(style: TokenStyle, session: &'a Session, shadow: &'a Shadow) -> &'a str {
    match style {
        TokenStyle::Nonce | TokenStyle::FixedNonce(_) => session.nonce(),
        TokenStyle::ProductCounter { .. } => shadow.name.product_id(),
    }
}
