// Text for people.

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
