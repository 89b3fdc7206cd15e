// The session as it stands in the page.

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
