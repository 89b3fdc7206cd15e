(async () => {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const list = find("#list"), search = find("#search");
  // Time is virtual here and few frames are made in it, so what comes with a frame is said by hand.
  const settled = () => new Promise((done) => setTimeout(() => {
    list.dispatchEvent(new Event("scroll"));
    setTimeout(done, 200);
  }, 200));
  const result = { width: innerWidth, scrollWidth: document.documentElement.scrollWidth };
  // How far to the right anything reaches, but for the filters, which scroll, and text that is cut
  // off with an ellipsis.
  const overflow = () => {
    result.scrollWidth = Math.max(result.scrollWidth, document.documentElement.scrollWidth);
    const inside = all("header *, main *, #panel *").filter((element) => !element.closest("#filters, b, mark")
      && getComputedStyle(element.parentElement).textOverflow !== "ellipsis");
    for (const element of inside) {
      const right = Math.floor(element.getBoundingClientRect().right);
      if (right > (result.rightmost ?? 0)) [result.rightmost, result.widest] = [right, element.outerHTML.slice(0, 200)];
    }
  };

  // Scrolls through all that is shown.
  const walk = async () => {
    const rows = new Map();
    for (let top = 0; ; top += list.clientHeight / 2) {
      list.scrollTop = top;
      await settled();
      result.rowsAtOnce = Math.max(result.rowsAtOnce ?? 0, all(".row").length);
      for (const row of all("[data-step]")) {
        rows.set(Number(row.dataset.step), {
          text: row.querySelector(".text").textContent,
          latencies: [...row.querySelectorAll(".latency")].map((badge) => badge.textContent),
          open: row.querySelector(".open") !== null,
          fault: row.classList.contains("fault"),
          wrong: row.querySelector(".wrong")?.textContent ?? null,
          changes: [...row.querySelectorAll(".change")].map((note) => [note.className.split(" ").pop(), note.textContent]),
          kind: row.classList[1],
        });
      }
      if (top + list.clientHeight >= list.scrollHeight) break;
    }
    return rows;
  };
  const type = async (text) => {
    search.value = text;
    search.dispatchEvent(new Event("input"));
    await settled();
    const rows = await walk();
    const count = find("#count").textContent;
    const marks = all("mark").map((mark) => mark.textContent);
    return { steps: [...rows.keys()].sort((a, b) => a - b), count, marks };
  };
  const press = async (key, target = list) => {
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await settled();
    return Number(find(".row.chosen")?.dataset.step ?? 0);
  };
  const panel = () => ({
    hidden: find("#panel").hidden,
    title: find("#panel-title").textContent,
    text: find("#panel-body").textContent,
    leaves: all("#document .leaf").map((leaf) => [leaf.className.replace("leaf", "").trim(), leaf.textContent]),
    pairs: all(".row.pair").map((row) => Number(row.dataset.step)),
  });

  await settled();
  result.count = find("#count").textContent;
  result.about = find("#about").textContent;
  if (!window.PROBE_LITTLE) {
    result.rows = [...await walk()];
    result.gaps = 0;
    list.scrollTop = 0;
    await settled();
    result.gaps = all(".gap").map((gap) => gap.textContent);
    result.searches = {};
    for (const text of window.PROBE.searches) result.searches[text] = await type(text);
    result.faultsOnly = await (async () => {
      await type("");
      find("[data-kind=faults]").click();
      const rows = await walk();
      find("[data-kind=faults]").click();
      return [...rows.keys()].sort((a, b) => a - b);
    })();
    find("[data-kind=timer]").click();
    result.withoutTimers = [...(await walk()).values()].some((row) => row.kind === "timer");
    find("[data-kind=timer]").click();
    result.clockShown = [...(await walk()).values()].some((row) => row.kind === "clock");
    list.scrollTop = 0;
    await settled();
  }
  result.keys = [await press("j"), await press("j"), await press("k"), await press("f"), await press("f")];
  result.slash = (await press("/"), document.activeElement === search);
  list.focus();
  result.panels = {};
  for (const step of window.PROBE.steps) {
    await type("");
    list.scrollTop = 0;
    for (let top = 0; !find(`#step-${step}`) && top < list.scrollHeight; top += 200) {
      list.scrollTop = top;
      await settled();
    }
    find(`#step-${step} .text`).click();
    await settled();
    result.panels[step] = panel();
    overflow();
  }
  await press("Escape");
  result.closed = find("#panel").hidden;
  result.hash = location.hash;

  const style = getComputedStyle(document.body);
  result.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  result.colours = [style.backgroundColor, style.color];
  result.drawn = all(".row").length;
  result.images = document.images.length;
  result.scripts = document.scripts.length;
  result.broken = document.body.dataset.broken ?? null;
  result.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  overflow();
  result.faultColour = getComputedStyle(find("#next-fault") ?? document.body).color;
  // Small enough to be touched, on a phone too.
  result.smallest = Math.min(...all("button").filter((button) => button.offsetHeight).map((button) => button.offsetHeight));

  const text = btoa(unescape(encodeURIComponent(JSON.stringify(result))));
  if (window !== top) {
    parent.postMessage(`probe:${text}:`, "*");
  } else {
    const element = document.createElement("pre");
    element.id = "probe";
    element.textContent = `probe:${text}:`;
    document.body.append(element);
  }
})().catch((error) => console.error(`the probe fails: ${error.stack}`));
