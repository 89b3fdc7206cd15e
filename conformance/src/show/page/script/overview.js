// The picture of the whole session.

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
