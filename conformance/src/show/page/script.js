
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const [list, rows, panel, search] = ["list", "rows", "panel", "search"].map(byId);

  // What the numbers in the data stand for; in the order of the types `Kind`, `Route` and `Link`.
  const KINDS = ["call", "message", "control", "link", "event", "timer", "clock"];
  const KIND_WORDS = ["Calls", "Messages", "Control", "Link", "Events", "Timers", "Clock"];
  const ROUTES = [
    "application → device", "device → application", "device → cloud", "cloud → device",
    "device → link", "link → device", "in the device",
  ];
  const LINKS = ["down", "connecting", "connected, not logged in", "online"];
  const [CALL, , , LINK, EVENT, TIMER, CLOCK] = KINDS.keys();
  const [TO_DEVICE, , SENT, RECEIVED, ASKS, SAYS, INSIDE] = ROUTES.keys();

  // Heights in pixels, as in the style sheet.
  const ROW = 46, NOTE = 20, GAP = 30, BELOW = 4;
  const MOST_NOTES = 4;
  const SILENCE = 1e6;
  const LONGEST = 200000;

  // Steps: what is told only when it changes is carried on, and answers are joined both ways.
  const steps = data.steps;
  const indexOf = (number) => number - data.first;
  const walls = [];
  {
    let link = data.link, due = data.due;
    for (const step of steps) {
      link = step.l = step.l ?? link;
      due = step.u = step.u === undefined ? due : step.u;
      step.by = [];
    }
    steps.forEach((step, index) => {
      step.i = index;
      for (const [number, after] of step.a ?? []) {
        const asked = steps[indexOf(number)];
        if (asked) asked.by.push([index + data.first, after]);
      }
      const wall = step.k === CLOCK && step.n === "wall" && /^\d+/.exec(step.w);
      if (wall) walls.push([step.t, Number(wall[0])]);
    });
  }
  const shared = (value) => typeof value === "number" ? data.shared[value] : value;
  const isOpen = (step) => step.by.length < (step.x ?? 0);
  const faults = steps.filter((step) => step.f !== undefined).map((step) => step.i);
  // What is told at one moment is one fault: the packet, and then the event that tells of it.
  const moments = faults.filter((index, at) => !at || steps[index].t !== steps[faults[at - 1]].t);

  // Characters that do nothing visible, or turn text around, are shown by their number.
  const visible = (text) => text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0"),
  );
  const element = (name, className, ...content) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...content);
    return made;
  };
  const short = (text, most) => text.length > most ? text.slice(0, most) + "…" : text;

  // Three digits and a unit.
  const span = (micros) => {
    // Of so many thousandths of a unit.
    const digits = (thousandths, unit) => {
      const whole = Math.floor(thousandths / 1e3);
      const rest = String(thousandths % 1e3).padStart(3, "0");
      const shown = rest === "000" || whole > 99 ? "" : whole < 10 ? "." + rest.slice(0, 2) : "." + rest[0];
      return `${whole}${shown} ${unit}`;
    };
    if (micros < 1e3) return `${micros} µs`;
    if (micros < 1e6) return digits(micros, "ms");
    if (micros < 60e6) return digits(Math.floor(micros / 1e3), "s");
    const two = (value, ratio, large, small) => {
      const rest = value % ratio;
      return `${Math.floor(value / ratio)} ${large}` + (rest ? ` ${rest} ${small}` : "");
    };
    const seconds = Math.floor(micros / 1e6);
    if (seconds < 3600) return two(seconds, 60, "min", "s");
    if (seconds < 86400) return two(Math.floor(seconds / 60), 60, "h", "min");
    return two(Math.floor(seconds / 3600), 24, "d", "h");
  };
  const clock = (micros) => {
    const millis = Math.floor(micros / 1000);
    const seconds = (millis % 60000 / 1000).toFixed(3);
    if (millis < 60000) return `${seconds}`;
    const minutes = Math.floor(millis / 60000);
    const padded = seconds.padStart(6, "0");
    if (minutes < 60) return `${minutes}:${padded}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${padded}`;
  };
  const wallAt = (micros) => {
    let found;
    for (const [at, millis] of walls) {
      if (at > micros && found) break;
      found = millis + (micros - at) / 1000;
    }
    const date = found === undefined ? undefined : new Date(found);
    return date && !isNaN(date) ? date.toISOString().replace("T", " ").replace("Z", " UTC") : undefined;
  };

  // Documents: a map of maps, with JSON text at the leaves.
  const pathText = (path) => path.map((key, index) => /^[\p{L}\p{N}_-]+$/u.test(key)
    ? (index ? "." : "") + key : `[${JSON.stringify(key)}]`).join("");
  const put = (tree, path, after) => {
    let node = tree;
    for (const key of path.slice(0, -1)) {
      if (!(node.get(key) instanceof Map)) {
        if (after === null) return;
        node.set(key, new Map());
      }
      node = node.get(key);
    }
    const last = path[path.length - 1];
    if (after === null) node.delete(last);
    else node.set(last, after === "{}" ? new Map() : after);
  };
  const copy = (tree) => new Map([...tree].map(([key, node]) => [key, node instanceof Map ? copy(node) : node]));
  const histories = new Map();
  const history = (shadow) => {
    if (!histories.has(shadow)) {
      const base = new Map();
      let version = null;
      for (const [name, known, holds] of data.known) {
        if (name === shadow) {
          version = known;
          for (const [path, , after] of holds) put(base, path, after);
        }
      }
      const told = steps.filter((step) => (step.g || step.v !== undefined) && shared(step.s) === shadow);
      histories.set(shadow, { told, frames: [{ count: 0, tree: base, version }] });
    }
    return histories.get(shadow);
  };
  const FRAME = 128;
  // The document as it is after the step of this index.
  const documentAt = (shadow, index) => {
    const { told, frames } = history(shadow);
    let low = 0, high = told.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (told[middle].i <= index) low = middle + 1; else high = middle;
    }
    let { count, tree, version } = frames[Math.min(Math.floor(low / FRAME), frames.length - 1)];
    tree = copy(tree);
    while (count < low) {
      const step = told[count];
      for (const [path, , after] of step.g ?? []) put(tree, path, after);
      version = step.v ?? version;
      count += 1;
      if (count % FRAME === 0 && frames.length === count / FRAME) {
        frames.push({ count, tree: copy(tree), version });
      }
    }
    return { tree, version, last: told[low - 1] };
  };
  const names = [...new Set([...data.known.map(([name]) => name),
    ...steps.filter((step) => step.g || step.v !== undefined).map((step) => shared(step.s))])];
  const several = new Set(steps.map((step) => shared(step.s)).filter((name) => name !== undefined)).size > 1;
  const shadowAt = (index) => {
    const own = shared(steps[index].s);
    if (names.includes(own)) return own;
    for (let at = index; at >= 0; at -= 1) {
      if (steps[at].g || steps[at].v !== undefined) return shared(steps[at].s);
    }
    return names[0];
  };

  // What is shown: an array of items, each a step or the silence before one.
  const shownKinds = KINDS.map((_, kind) => kind !== CLOCK);
  let onlyFaults = false;
  let terms = [];
  let items = [];
  let tops = new Float64Array(1);
  let places = new Int32Array(0);
  let chosen = -1;

  const haystack = (step) => step.hay ??= [
    step.n, step.w, step.d, shared(step.s), shared(step.o), step.y, KINDS[step.k], step.f && "fault " + step.f,
    step.q !== undefined ? "#" + step.q : "", step.c,
    ...(step.g ?? []).map(([path, before, after]) => `${pathText(path)} ${before ?? ""} ${after ?? ""}`),
    isOpen(step) ? "no answer" : "",
  ].filter(Boolean).join("\n").toLowerCase();
  const isShown = (step) => shownKinds[step.k] && (!onlyFaults || step.f !== undefined)
    && terms.every((term) => haystack(step).includes(term));
  // A fault is told in full; how many lines that takes is estimated from the width.
  let width = 0, narrow = false;
  const faultLines = (step) => step.f === undefined ? 0
    : Math.min(Math.ceil((step.f.length + 3) * 7.9 / Math.max(width, 120)), 6);
  const noteCount = (step) => faultLines(step) + Math.min((step.g ?? []).length, MOST_NOTES);

  const arrange = () => {
    const style = getComputedStyle(document.documentElement);
    const rem = parseFloat(style.fontSize);
    const lane = (name) => parseFloat(style.getPropertyValue(name)) * rem;
    narrow = lane("--gutter") < 80;
    width = list.clientWidth - lane("--gutter") - 2 * lane("--edge") - 30;
    items = [];
    places = new Int32Array(steps.length).fill(-1);
    let before, count = 0;
    for (const step of steps) {
      if (!isShown(step)) continue;
      if (before && step.t - before.t >= SILENCE) {
        items.push({ from: before, to: step, height: GAP });
      }
      places[step.i] = items.length;
      const notes = noteCount(step);
      items.push({ step, height: ROW + (notes ? notes * NOTE + BELOW : 0) });
      before = step;
      count += 1;
    }
    tops = new Float64Array(items.length + 1);
    items.forEach((item, at) => { tops[at + 1] = tops[at] + item.height; });
    rows.style.height = `${tops[items.length] + 12}px`;
    for (const row of drawn.values()) row.remove();
    drawn.clear();
    byId("count").textContent = count === steps.length ? `${count} steps` : `${count} of ${steps.length}`;
    byId("empty")?.remove();
    if (!count) {
      const empty = element("p", "", steps.length ? "No step matches." : "The recording has no steps.");
      empty.id = "empty";
      rows.append(empty);
    }
    draw();
    survey();
  };

  // Drawing: only rows that can be seen exist.
  const drawn = new Map();
  const itemAt = (top) => {
    let low = 0, high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tops[middle + 1] <= top) low = middle + 1; else high = middle;
    }
    return low;
  };
  const draw = () => {
    const first = itemAt(Math.max(list.scrollTop - 300, 0));
    const last = Math.min(itemAt(list.scrollTop + list.clientHeight + 300), items.length - 1);
    for (const [at, row] of drawn) {
      if (at < first || at > last) {
        row.remove();
        drawn.delete(at);
      }
    }
    for (let at = first; at <= last; at += 1) {
      if (!drawn.has(at)) {
        const row = items[at].step ? stepRow(items[at].step) : gapRow(items[at]);
        row.style.top = `${tops[at]}px`;
        row.style.height = `${items[at].height}px`;
        drawn.set(at, row);
        rows.append(row);
      }
    }
    paint(pairsOf(steps[chosen]));
  };

  const highlighted = (text) => {
    const shown = visible(text);
    if (!terms.length) return [shown];
    const lower = shown.toLowerCase();
    // Where lower case is of another length, places would be wrong.
    if (lower.length !== shown.length) return [shown];
    const parts = [];
    let at = 0;
    while (at < shown.length) {
      let found = shown.length, length = 0;
      for (const term of terms) {
        const place = lower.indexOf(term, at);
        if (place >= 0 && place < found) [found, length] = [place, term.length];
      }
      parts.push(shown.slice(at, found));
      if (length) parts.push(element("mark", "", shown.slice(found, found + length)));
      at = found + length;
    }
    return parts;
  };

  // A clock's face; few fonts have one.
  const hands = () => {
    const face = element("span", "hands");
    face.setAttribute("role", "img");
    face.setAttribute("aria-label", "timer");
    return face;
  };
  const symbol = (step) => {
    if (step.f !== undefined) return [element("span", "cross", "✖"), " "];
    if (step.k === TIMER) return [hands(), " "];
    if (step.k === CALL) return ["▶ "];
    if (step.k === EVENT) return ["◀ "];
    return [];
  };
  const signOf = ([, before, after]) => before === null ? "+" : after === null ? "−" : "~";
  const CHANGE = { "+": "added", "−": "removed", "~": "changed" };
  const changeText = ([path, before, after]) => {
    const value = before === null ? after : after === null ? before : `${short(before, 60)} → ${after}`;
    return `${pathText(path)} ${short(value, 200)}`;
  };

  const band = (row, from, to, whole) => {
    const part = (state, top, bottom) => {
      const made = element("div", `band s${state}`);
      made.style.top = top;
      made.style.bottom = bottom;
      row.append(made);
    };
    if (from === to || whole) return part(whole ? from : to, "0", "0");
    part(from, "0", "calc(100% - 34px)");
    part(to, "34px", "0");
  };
  const linkBefore = (step) => step.i > 0 ? steps[step.i - 1].l : data.link;

  const stepRow = (step) => {
    const side = step.r === SENT || step.r === ASKS ? "sent"
      : step.r === RECEIVED || step.r === SAYS ? "received"
      : step.k === LINK && step.r === INSIDE ? "inside" : "";
    const row = element("div", `row ${KINDS[step.k]} ${side} ${step.f === undefined ? "" : "fault"}`);
    row.id = `step-${step.i + data.first}`;
    row.dataset.step = step.i + data.first;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(step.i === chosen));
    row.setAttribute("aria-posinset", step.i + 1);
    row.setAttribute("aria-setsize", steps.length);
    band(row, linkBefore(step), step.l);
    const time = clock(step.t);
    row.append(element("time", "time", narrow && time.length > 9 ? time.slice(0, -4) : time));
    const text = element("span", "text", ...symbol(step), element("b", "", ...highlighted(step.n)));
    if (step.w) text.append(" ", ...highlighted(step.w));
    const label = element("div", "label", text);
    const shadow = shared(step.s);
    if (several && shadow !== undefined) label.append(element("span", "of", visible(shadow.split("/").pop())));
    for (const [, after] of step.a ?? []) label.append(element("span", "latency", span(after)));
    if (isOpen(step)) label.append(element("span", "open", "no answer"));
    const stage = element("div", "stage", label);
    if ([SENT, RECEIVED, ASKS, SAYS].includes(step.r)) stage.append(element("div", "arrow"));
    row.append(stage);
    row.title = visible(`${step.n} ${step.w ?? ""}${step.d ? `\n${step.d}` : ""}${step.f ? `\n✖ ${step.f}` : ""}`);
    if (noteCount(step)) {
      const notes = element("div", "notes");
      if (step.f !== undefined) {
        const note = element("div", "note wrong", element("span", "", "✖ ", ...highlighted(step.f)));
        note.style.height = `${faultLines(step) * NOTE}px`;
        notes.append(note);
      }
      const changes = step.g ?? [];
      const most = changes.length > MOST_NOTES ? MOST_NOTES - 1 : MOST_NOTES;
      for (const change of changes.slice(0, most)) {
        const sign = signOf(change);
        const note = element("span", "", `${sign} `, ...highlighted(changeText(change)));
        notes.append(element("div", `note change ${CHANGE[sign]}`, note));
      }
      if (changes.length > most) {
        notes.append(element("div", "note", element("span", "", `and ${changes.length - most} more`)));
      }
      row.append(notes);
    }
    return row;
  };
  const gapRow = ({ from, to }) => {
    const row = element("div", "row gap");
    row.setAttribute("role", "presentation");
    band(row, linkBefore(to), 0, true);
    const text = element("p", "", element("span", "", `⋮ ${span(to.t - from.t)}`));
    const due = to.u;
    if (due) text.append(element("span", "until", hands(), ` ${due[1]} at ${clock(due[0])}`));
    row.append(text);
    return row;
  };

  // All that answers the step, and all that it answers.
  const pairsOf = (step) => {
    const pairs = new Set();
    for (const [number] of [...step?.a ?? [], ...step?.by ?? []]) pairs.add(indexOf(number));
    return pairs;
  };
  const paint = (pairs) => {
    for (const [at, row] of drawn) {
      const step = items[at].step;
      if (!step) continue;
      row.classList.toggle("pair", pairs.has(step.i));
      row.classList.toggle("chosen", step.i === chosen);
      row.setAttribute("aria-selected", String(step.i === chosen));
    }
  };

  // JSON text with line breaks, without reading its numbers and keys as JavaScript's.
  const pretty = (text) => {
    const pre = element("pre");
    const tokens = text.slice(0, LONGEST).match(/"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? [];
    let depth = 0;
    const parts = [];
    const newLine = () => parts.push("\n" + "  ".repeat(Math.max(depth, 0)));
    tokens.forEach((token, at) => {
      const next = tokens[at + 1];
      if (token === "{" || token === "[") {
        parts.push(token);
        if (next === "}" || next === "]") return;
        depth += 1;
        newLine();
      } else if (token === "}" || token === "]") {
        const empty = ["{", "["].includes(tokens[at - 1]);
        if (!empty) {
          depth -= 1;
          newLine();
        }
        parts.push(token);
      } else if (token === ",") {
        parts.push(token);
        newLine();
      } else if (token === ":") {
        parts.push(": ");
      } else {
        const sort = token[0] === '"' ? next === ":" ? "key" : "string" : "word";
        parts.push(element("span", sort, visible(token)));
      }
    });
    pre.append(...parts);
    if (text.length > LONGEST) pre.append(`\n… ${text.length - LONGEST} more characters`);
    return pre;
  };
  const valueOf = (text) => element("span", text[0] === '"' ? "string" : "word", visible(short(text, LONGEST)));

  const tree = (node, path, changes, before) => {
    const made = [];
    // Those that are deleted stay in their place, struck out.
    const gone = changes.filter(([at, , after]) => after === null && at.length === path.length + 1
      && path.every((key, index) => at[index] === key) && !node.has(at[path.length]));
    const keys = [...new Set([...node.keys(), ...gone.map(([at]) => at[path.length])])].sort();
    for (const key of keys) {
      const child = node.get(key);
      const here = [...path, key];
      const change = changes.find(([at]) => at.length === here.length && at.every((part, index) => part === here[index]));
      const sign = change ? signOf(change) : "";
      const line = element("div", `leaf ${CHANGE[sign] ?? ""}`);
      if (sign) line.append(element("span", "sign", sign));
      line.append(element("span", "key", visible(key)), ": ");
      if (sign === "~" || sign === "−") {
        line.append(element("span", "was", visible(short(change[1], 400))), sign === "~" ? " → " : "");
      }
      const block = element("div", "", line);
      if (child instanceof Map) {
        if (child.size || changes.some(([at]) => at.length > here.length && here.every((part, index) => at[index] === part))) {
          block.append(...tree(child, here, changes));
        } else {
          line.append("{}");
        }
      } else if (child !== undefined) {
        line.append(valueOf(child));
      }
      made.push(block);
    }
    return made;
  };

  const stepLink = (number, text) => {
    const button = element("button", "", text);
    button.type = "button";
    button.addEventListener("click", () => choose(indexOf(number)));
    return button;
  };
  const fill = (step) => {
    const body = byId("panel-body");
    const number = step.i + data.first;
    byId("panel-title").textContent = `Step ${number} · ${clock(step.t)} s`;
    const said = element("p", "said", ...symbol(step), element("b", "", visible(step.n)));
    if (step.w) said.append(" ", visible(step.w));
    const parts = [said];
    if (step.f !== undefined) parts.push(element("p", "trouble", `✖ ${visible(step.f)}`));
    const pairs = element("p");
    for (const [other, after] of step.a ?? []) {
      pairs.append(stepLink(other, `↑ answers step ${other} after ${span(after)}`), " ");
    }
    for (const [other, after] of step.by) {
      pairs.append(stepLink(other, `↓ answered by step ${other} after ${span(after)}`), " ");
    }
    if (isOpen(step)) pairs.append(step.by.length ? "Another answer was due." : "Nothing answers it.");
    if (pairs.childNodes.length) parts.push(pairs);
    const shadow = shadowAt(step.i);
    if (shadow !== undefined) {
      const { tree: known, version, last } = documentAt(shadow, step.i);
      const now = last === step;
      const heading = element("h3", "", "Document after this step, as far as the session shows it");
      const box = element("div", "tree");
      box.id = "document";
      const told = version === null || version === undefined ? "version unknown" : `version ${version}`;
      box.append(element("div", "", element("span", "version", told), ` of ${visible(shadow)}`));
      if (known.size || (now && step.g)) box.append(...tree(known, [], now ? step.g ?? [] : []));
      else box.append(element("p", "", "nothing is known of it yet"));
      parts.push(heading, box);
      if (!now && last) parts.push(element("p", "", stepLink(last.i + data.first, `told last in step ${last.i + data.first}`)));
    }
    if (step.c !== undefined) {
      parts.push(element("h3", "", step.ct === 2 ? "Content, in hexadecimal" : "Content"));
      parts.push(step.ct === undefined ? pretty(step.c) : element("pre", "", visible(short(step.c, LONGEST))));
    }
    if (step.m !== undefined) parts.push(element("p", "", stepLink(step.m, `the document is in step ${step.m}`)));
    parts.push(element("h3", "", "Step"));
    const facts = element("dl");
    const fact = (name, value) => {
      if (value !== undefined && value !== "") facts.append(element("dt", "", name), element("dd", "", visible(String(value))));
    };
    fact("Way", `${ROUTES[step.r]} (${KINDS[step.k]})`);
    fact("Fields", step.d);
    fact("Shadow", shared(step.s));
    fact("Topic", shared(step.o));
    fact("Token", step.y);
    fact("Request", step.q === undefined ? undefined : `#${step.q}`);
    fact("Link after it", LINKS[step.l]);
    fact("Deadline then", step.u ? `${step.u[1]}, due at ${clock(step.u[0])} s` : undefined);
    fact("Wall time", wallAt(step.t));
    fact("In the recording", `line ${step.L}`);
    parts.push(facts);
    body.replaceChildren(...parts);
    body.scrollTop = 0;
  };

  // Scrolls as little as it takes; what is far away comes to the middle.
  const reveal = (index) => {
    const at = places[index];
    if (at < 0) return;
    const [top, bottom, height] = [tops[at], tops[at + 1], list.clientHeight];
    const margin = Math.min(90, height / 4);
    const above = list.scrollTop - (top - margin);
    const below = bottom + margin - (list.scrollTop + height);
    if (Math.max(above, below) > height / 2) list.scrollTop = (top + bottom - height) / 2;
    else if (above > 0) list.scrollTop -= above;
    else if (below > 0) list.scrollTop += below;
  };
  const choose = (index) => {
    if (index === undefined || index < 0 || index >= steps.length) return;
    chosen = index;
    panel.hidden = false;
    document.body.classList.add("open");
    fill(steps[index]);
    if (places[index] < 0) {
      // It is hidden by what is searched for or switched off: show it all the same.
      search.value = "";
      terms = [];
      onlyFaults = false;
      shownKinds[steps[index].k] = true;
      toggles();
      arrange();
    }
    resized();
    reveal(index);
    draw();
    list.setAttribute("aria-activedescendant", `step-${index + data.first}`);
    try {
      window.history.replaceState(null, "", `#${index + data.first}`);
    } catch {
      // Where the page stands alone in a frame there is no history to write to.
    }
    overview();
  };
  let arranged = list.clientWidth;
  const resized = () => {
    if (list.clientWidth === arranged) return draw();
    // The rows are of other heights now; the one on top stays there.
    arranged = list.clientWidth;
    const top = items[itemAt(list.scrollTop)]?.step;
    arrange();
    if (chosen >= 0) reveal(chosen);
    else if (top) list.scrollTop = tops[places[top.i]];
    draw();
  };
  const unchoose = () => {
    chosen = -1;
    panel.hidden = true;
    document.body.classList.remove("open");
    list.removeAttribute("aria-activedescendant");
    resized();
    list.focus();
  };
  // The next step that is shown, from the chosen one or from what is seen.
  const walk = (by) => {
    let at = chosen >= 0 && places[chosen] >= 0 ? places[chosen] + by : itemAt(list.scrollTop);
    while (items[at] && !items[at].step) at += by;
    if (items[at]) choose(items[at].step.i);
  };
  const nextFault = () => choose(moments.find((index) => index > chosen) ?? moments[0]);

  // The whole session on a line, time to scale.
  const canvas = byId("overview");
  const length = Math.max(steps.length ? steps[steps.length - 1].t - steps[0].t : 0, 1);
  const beginning = steps.length ? steps[0].t : 0;
  const picture = document.createElement("canvas");
  const place = (step) => {
    const width = canvas.clientWidth - 2;
    return Math.min((step.t - beginning) / length * width, width);
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const prepare = (target) => {
    const scale = window.devicePixelRatio || 1;
    target.width = canvas.clientWidth * scale;
    target.height = 30 * scale;
    const context = target.getContext("2d");
    context.scale(scale, scale);
    return context;
  };
  // The picture, with the chosen step marked in it.
  const overview = () => {
    if (!canvas.clientWidth || !picture.width) return;
    const context = prepare(canvas);
    context.drawImage(picture, 0, 0, canvas.clientWidth, 30);
    if (chosen >= 0) {
      context.fillStyle = colour("--text");
      context.fillRect(place(steps[chosen]) - 1, 0, 3, 30);
    }
  };
  const survey = () => {
    if (!canvas.clientWidth) return;
    const context = prepare(picture);
    const colours = [null, "--connecting", "--connected", "--online"].map((name) => name && colour(name));
    context.globalAlpha = .45;
    steps.forEach((step, index) => {
      const next = steps[index + 1];
      if (!next || !colours[step.l]) return;
      const from = place(step), to = place(next);
      if (to - from < .05 && Math.floor(from) === Math.floor(to) && index % 8) return;
      context.fillStyle = colours[step.l];
      context.fillRect(from, 13, Math.max(to - from, 1), 5);
    });
    context.globalAlpha = .8;
    const [timer, out, back] = ["--timer", "--sent", "--received"].map(colour);
    const seen = new Set();
    for (const { step } of items) {
      if (!step) continue;
      const sent = step.r === SENT || step.r === TO_DEVICE;
      const x = Math.floor(place(step)), key = x * 2 + (sent ? 1 : 0);
      if (seen.has(key)) continue;
      seen.add(key);
      context.fillStyle = step.k === TIMER ? timer : sent ? out : back;
      context.fillRect(x, sent ? 7 : 18, 1.5, 6);
    }
    context.globalAlpha = 1;
    context.fillStyle = colour("--fault");
    const marked = new Set();
    for (const index of faults) {
      const x = Math.floor(place(steps[index]));
      if (marked.has(x)) continue;
      marked.add(x);
      context.beginPath();
      context.moveTo(x - 4, 0);
      context.lineTo(x + 5, 0);
      context.lineTo(x + .5, 7);
      context.fill();
      context.fillRect(x, 0, 1.5, 30);
    }
    overview();
  };
  canvas.addEventListener("click", (event) => {
    const at = beginning + event.offsetX / canvas.clientWidth * length;
    let best;
    for (const { step } of items) {
      if (step && (!best || Math.abs(step.t - at) < Math.abs(best.t - at))) best = step;
    }
    if (best) choose(best.i);
  });

  const toggles = () => {
    const buttons = KIND_WORDS.map((words, kind) => {
      const count = steps.filter((step) => step.k === kind).length;
      if (!count) return undefined;
      const button = element("button", "", `${words} ${count}`);
      button.setAttribute("aria-pressed", String(shownKinds[kind]));
      button.dataset.kind = KINDS[kind];
      button.addEventListener("click", () => {
        shownKinds[kind] = !shownKinds[kind];
        toggles();
        arrange();
      });
      return button;
    }).filter(Boolean);
    if (faults.length) {
      const button = element("button", "only", "✖ Faults only");
      button.setAttribute("aria-pressed", String(onlyFaults));
      button.dataset.kind = "faults";
      button.addEventListener("click", () => {
        onlyFaults = !onlyFaults;
        toggles();
        arrange();
      });
      buttons.unshift(button);
    }
    const focused = document.activeElement?.dataset?.kind;
    byId("filters").replaceChildren(...buttons);
    buttons.find((button) => button.dataset.kind === focused)?.focus();
  };

  {
    const about = byId("about");
    const open = steps.filter(isOpen).length;
    const parts = [
      `${steps.length} steps in ${span(steps.length ? length : 0)}`,
      `engine ${data.engine}`,
      `masked: ${data.masked}`,
    ];
    if (data.part > 1) parts.push(`part ${data.part}`);
    if (open) parts.push(`${open} without an answer`);
    if (data.end.torn) parts.push("the last line was torn off");
    about.append(visible(parts.join(" · ")));
    about.title = about.textContent;
    if (faults.length) {
      const button = element("button", "", `✖ ${moments.length} ${moments.length === 1 ? "fault" : "faults"} ↓`);
      button.title = "Next fault (f)";
      button.id = "next-fault";
      button.addEventListener("click", nextFault);
      about.prepend(button, " ");
    }
  }

  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      list.scrollTop = 0;
      arrange();
    }, steps.length > 20000 ? 150 : 0);
  });
  // Browsers tell of scrolling once a frame.
  list.addEventListener("scroll", draw);
  const stepOf = (event) => {
    const row = event.target.closest?.("[data-step]");
    return row ? steps[indexOf(Number(row.dataset.step))] : undefined;
  };
  rows.addEventListener("click", (event) => {
    const step = stepOf(event);
    if (step) choose(step.i);
  });
  rows.addEventListener("mouseover", (event) => {
    const step = stepOf(event);
    const pairs = pairsOf(steps[chosen]);
    if (step) for (const index of pairsOf(step)) pairs.add(index);
    paint(pairs);
  });
  rows.addEventListener("mouseleave", () => paint(pairsOf(steps[chosen])));
  byId("close").addEventListener("click", unchoose);
  byId("next").addEventListener("click", () => walk(1));
  byId("previous").addEventListener("click", () => walk(-1));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (document.activeElement === search || terms.length) {
        search.value = "";
        search.dispatchEvent(new Event("input"));
        list.focus();
      } else if (chosen >= 0) {
        unchoose();
      }
      return;
    }
    if (event.target === search) {
      if (event.key === "Enter") list.focus();
      return;
    }
    const inList = event.target === list || event.target === document.body;
    const actions = {
      "j": () => walk(1),
      "k": () => walk(-1),
      "/": () => search.focus(),
      "f": nextFault,
      "p": () => {
        const step = steps[chosen];
        const other = step && (step.a?.[0] ?? step.by[0]);
        if (other) choose(indexOf(other[0]));
      },
    };
    if (inList) {
      actions.ArrowDown = actions.j;
      actions.ArrowUp = actions.k;
      actions.Home = () => choose(items.find(({ step }) => step)?.step.i);
      actions.End = () => choose(items[items.length - 1]?.step.i);
    }
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
  new ResizeObserver(resized).observe(list);
  new ResizeObserver(survey).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", survey);

  toggles();
  arrange();
  const linked = /^#(\d+)$/.exec(window.location.hash);
  if (linked) choose(indexOf(Number(linked[1])));
})();
