//! What JavaScript does for the device: `index.mjs` has it all.

use shadow_core::RequestError;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What JavaScript does for the device.
    pub type Host;
    /// Opens a WebSocket.
    #[wasm_bindgen(method)]
    pub(crate) fn connect(this: &Host);
    /// Sends a binary message; `bytes` are gone when it returns.
    #[wasm_bindgen(method)]
    pub(crate) fn send(this: &Host, bytes: &[u8]);
    /// Closes the WebSocket, and tells nothing of it any more.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Host);
    /// Calls [`Device::tick`](crate::Device::tick) in so many milliseconds, instead of when it was
    /// asked to before.
    #[wasm_bindgen(method, js_name = tickIn)]
    pub(crate) fn tick_in(this: &Host, millis: f64);
    /// Has the light shine in a color.
    #[wasm_bindgen(method)]
    pub(crate) fn light(this: &Host, color: &str);
    /// Shows a line.
    #[wasm_bindgen(method)]
    pub(crate) fn print(this: &Host, line: &str);
    /// Milliseconds of a clock that only goes on.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub(crate) fn monotonic_millis() -> f64;
    /// Milliseconds since 1970.
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    pub(crate) fn unix_millis() -> f64;
}

impl Host {
    /// Shows what the engine refuses, as it is too long; what the cloud refuses is told by an event.
    pub(crate) fn tell_refused<T>(&self, result: Result<T, RequestError>) {
        result.map_or_else(|error| self.print(&format!("refused: {error}")), drop);
    }
}
