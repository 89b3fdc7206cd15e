// The panel about one step.

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
