// The chosen step.

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
