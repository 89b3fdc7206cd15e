// Opens the page in Chromium, without a window, and prints what the page prints.
//
// `node browser.mjs PROFILE URL`; ends with Chromium, and Chromium ends with it.
import { spawn } from "node:child_process";
import { readFile } from "node:fs";
import { createServer } from "node:http";

const [profile, url] = process.argv.slice(2);
const types = { html: "text/html", mjs: "text/javascript", js: "text/javascript", wasm: "application/wasm" };

const server = createServer(({ url: asked }, response) => {
  const path = new URL(asked, "http://localhost").pathname.replace(/\/$/, "/index.html");
  readFile(new URL(`..${path}`, import.meta.url), (error, content) => {
    response.writeHead(error ? 404 : 200, { "Content-Type": types[path.split(".").pop()] ?? "" });
    response.end(content);
  });
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const browser = spawn(
  "chromium",
  ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
    .concat("--log-level=3", `--user-data-dir=${profile}`, "about:blank"),
  { stdio: ["ignore", "ignore", "inherit", "pipe", "pipe"] },
);
browser.on("close", () => process.exit(1));
const [, , , commands, answers] = browser.stdio;
const send = (method, params, sessionId) =>
  commands.write(`${JSON.stringify({ id: 1, method, params, sessionId })}\0`);

let received = "";
answers.setEncoding("utf8").on("data", (part) => {
  const messages = (received + part).split("\0");
  received = messages.pop();
  for (const { method, params } of messages.map((message) => JSON.parse(message))) {
    if (method === "Target.attachedToTarget") {
      const page = `http://127.0.0.1:${server.address().port}/?url=${encodeURIComponent(url)}`;
      send("Runtime.enable", {}, params.sessionId);
      send("Page.navigate", { url: page }, params.sessionId);
    } else if (method === "Runtime.consoleAPICalled") {
      console.log(params.args.map(({ value }) => value).join(" "));
    } else if (method === "Runtime.exceptionThrown") {
      console.error(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    }
  }
});
send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: true, filter: [{ type: "page" }] });
