// Documents at any step.

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
