// Rows of the diagram.

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
