// The example device's network, clock, sensor and light: the same in the browser and in Node.
import init, { Device } from "./pkg/wasm.js";

const page = globalThis.document;
const asked = page ? new URLSearchParams(location.search).get("url") : process.argv[2];
const url = asked ?? "ws://127.0.0.1:8083/mqtt";

/** Does what the device wants. */
const host = {
  connect() {
    const socket = new WebSocket(url, "mqtt");
    // What an earlier socket still tells is of no interest.
    const on = (handle) => (event) => socket === this.socket && handle(event);
    // A browser tells an error without a word, then the close; Node 20 an error alone.
    const lost = on(({ reason, message, code }) => {
      this.socket = undefined;
      device.disconnected(`${url}: ${reason || message || `closed with code ${code}`}`);
    });
    socket.binaryType = "arraybuffer";
    socket.onopen = on(() => device.connected());
    socket.onmessage = on(({ data }) => device.received(new Uint8Array(data)));
    socket.onerror = (event) => event.message && lost(event);
    socket.onclose = lost;
    this.socket = socket;
  },
  send(bytes) {
    this.socket?.send(bytes);
  },
  close() {
    this.socket?.close();
    this.socket = undefined;
  },
  tickIn(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => device.tick(), Math.ceil(milliseconds));
  },
  light(color) {
    this.print(`color ${color}`);
    page?.querySelector("#light").setAttribute("fill", color);
  },
  print(line) {
    console.log(line);
    page?.querySelector("#lines").append(line, "\n");
  },
};

const module = new URL("./pkg/wasm_bg.wasm", import.meta.url);
// Node's fetch takes no files.
const bytes = page ? fetch(module) : (await import("node:fs")).readFileSync(module);
await init({ module_or_path: bytes });

const [seed] = crypto.getRandomValues(new BigUint64Array(1));
const device = new Device(host, seed);
device.tick();
let counter = 0;
setInterval(() => {
  try {
    device.report(JSON.stringify({ counter: ++counter, temperature: 21.5 }));
  } catch (error) {
    host.print(`refused: ${error.message}`);
  }
}, 1000);
