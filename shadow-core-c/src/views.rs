//! What is lent to C: text, bytes, and what to do on the transport.

use core::ffi::c_char;
use core::ptr;

/// A text that the library lends. Never NULL: where there is none it is empty.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct shadow_text {
    /// UTF-8, with a NUL behind it.
    pub data: *const c_char,
    /// Bytes, without the NUL.
    pub length: usize,
}

impl shadow_text {
    pub(crate) const EMPTY: shadow_text = shadow_text {
        data: c"".as_ptr(),
        length: 0,
    };
}

/// Bytes that the library lends. Never NULL, also where there are none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct shadow_bytes {
    /// The first of them.
    pub data: *const u8,
    /// How many.
    pub length: usize,
}

impl shadow_bytes {
    pub(crate) const EMPTY: shadow_bytes = shadow_bytes {
        data: c"".as_ptr().cast(),
        length: 0,
    };
}

/// What to do on the transport.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum shadow_transmit_kind {
    /// Nothing: there was nothing to poll.
    SHADOW_TRANSMIT_NONE = 0,
    /// Open a connection, then call `shadow_handle_connected`, or `shadow_handle_disconnected` if
    /// that fails.
    SHADOW_TRANSMIT_CONNECT = 1,
    /// Send `bytes`, all of them, on the connection.
    SHADOW_TRANSMIT_SEND = 2,
    /// Close the connection, after what was sent before; or stop connecting. Do not answer with
    /// `shadow_handle_disconnected`.
    SHADOW_TRANSMIT_CLOSE = 3,
}

/// The next thing to do on the transport.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct shadow_transmit {
    /// What to do.
    pub kind: shadow_transmit_kind,
    /// What to send: one whole packet. Empty unless `kind` is `SHADOW_TRANSMIT_SEND`. Lent until the
    /// next `shadow_poll_transmit`, whatever else is called meanwhile, so a program whose socket
    /// takes only a part of it keeps the rest here and polls on when all has left, or when the
    /// connection is lost, for which the rest is not meant any more. A login is overwritten with
    /// zeros then.
    pub bytes: shadow_bytes,
}

impl shadow_transmit {
    pub(crate) const NONE: shadow_transmit = shadow_transmit {
        kind: shadow_transmit_kind::SHADOW_TRANSMIT_NONE,
        bytes: shadow_bytes::EMPTY,
    };
}

/// Why the transport has no connection; for `shadow_handle_disconnected`.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum shadow_failure {
    /// It did not come about.
    SHADOW_CONNECT_FAILED = 0,
    /// The peer could not prove who it is, as by its certificate.
    SHADOW_UNTRUSTED = 1,
    /// The peer closed it in order; the text is not looked at.
    SHADOW_CLOSED_BY_PEER = 2,
    /// It broke.
    SHADOW_BROKEN = 3,
}

/// Text and bytes for C, each with a NUL behind it, in one piece of memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Lent(alloc::vec::Vec<u8>);

/// Where a part of [`Lent`] is: from, to.
pub(crate) type Place = (usize, usize);

/// More than this is given back when it is not lent any more.
const KEPT_BYTES: usize = 1024;

impl Lent {
    /// Ends all loans.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(KEPT_BYTES);
    }

    /// Adds a part. Ends the loans that were made before.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Place {
        let start = self.0.len();
        self.0.extend_from_slice(bytes);
        self.0.push(0);
        (start, start + bytes.len())
    }

    /// Lends a part.
    pub(crate) fn bytes(&self, (start, end): Place) -> shadow_bytes {
        match self.0.get(start..) {
            Some(from) => shadow_bytes {
                data: from.as_ptr(),
                length: end - start,
            },
            None => shadow_bytes::EMPTY,
        }
    }

    /// Lends a part that is text.
    pub(crate) fn text(&self, place: Place) -> shadow_text {
        let shadow_bytes { data, length } = self.bytes(place);
        shadow_text {
            data: data.cast(),
            length,
        }
    }

    /// Lends the last part that is text, alone in here, or the empty text.
    pub(crate) fn last_text(&self) -> *const c_char {
        match self.0.as_slice() {
            [] => c"".as_ptr(),
            text => ptr::from_ref(text).cast(),
        }
    }
}
