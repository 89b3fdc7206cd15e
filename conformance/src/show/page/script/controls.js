// What can be pressed, and the beginning.

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
const follow = () => {
  const linked = /^#(\d+)$/.exec(window.location.hash);
  if (linked) choose(indexOf(Number(linked[1])));
};
window.addEventListener("hashchange", follow);
follow();
