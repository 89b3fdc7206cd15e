// What is shown, and where.

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
