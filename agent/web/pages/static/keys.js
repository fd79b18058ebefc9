// Keys for the whole review desk: each element with data-key is pressed (or focused) by its key.
"use strict";

const PLACES = { q: "", c: "/conversations", d: "/dashboard", k: "/gaps", w: "/monitor", m: "/models", l: "/audit" };
const keysOn = document.getElementById("keys-on");
const help = document.getElementById("help");
let going = false;

if (keysOn) {
  keysOn.checked = localStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
}
for (const button of document.querySelectorAll("[data-help]")) button.addEventListener("click", () => help.showModal());

function typing(target) {
  return target.closest("input:not([type=checkbox]), textarea, select, [role=application], dialog");
}

function moveInList(step) {
  const lines = [...document.querySelectorAll("[data-list] .line-text")];
  if (!lines.length) return;
  const at = lines.indexOf(document.activeElement);
  lines[Math.max(0, Math.min(lines.length - 1, at < 0 ? 0 : at + step))].focus();
}

function press(node) {
  if (node.matches("input, textarea, [role=application]")) node.focus();
  else if (!node.disabled) node.click();
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    const form = event.target.closest("form") || document.getElementById("verdict");
    const save = form && form.querySelector("button[value=correct]");
    if (save) event.preventDefault(), save.click();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape" && typing(event.target) && !event.defaultPrevented) return event.target.blur();
  if (typing(event.target) || (keysOn && !keysOn.checked)) return;
  if (going) {
    going = false;
    if (event.key in PLACES) location.href = `/review${PLACES[event.key]}`;
    return;
  }
  if (event.key === "g") return void (going = true);
  if (event.key === "?" && help) return help.showModal();
  if (event.key === "j" || event.key === "k") return moveInList(event.key === "j" ? 1 : -1);
  const node = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!node) return event.key === "n" ? void (location.href = "/review/next") : undefined;
  event.preventDefault();
  press(node);
});

for (const button of document.querySelectorAll("[data-take]")) {
  button.addEventListener("click", () => {
    const { intent, answer } = button.dataset;
    const field = document.getElementById("intent");
    if (intent) field.value = intent;
    if (answer) document.getElementById("answer").value = answer;
    field.dispatchEvent(new Event("taken"));
    for (const one of document.querySelectorAll("[data-take]")) one.setAttribute("aria-pressed", String(one === button));
    document.querySelector("#verdict button[value=correct]").focus();
  });
}

for (const all of document.querySelectorAll("[data-all]")) {
  const boxes = [...all.closest("fieldset").querySelectorAll("[name=texts]")];
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  for (const box of boxes) box.addEventListener("change", () => (all.checked = boxes.every((one) => one.checked)));
}

// What changes the serving model is asked for once more.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// A part that changes by itself is fetched anew while it says that it is alive, and a little longer.
async function refresh(part, left) {
  const page = await fetch(location.href).then((answer) => answer.text()).catch(() => "");
  const found = new DOMParser().parseFromString(page, "text/html").getElementById(part.id);
  const busy = !found || part.contains(document.activeElement);
  if (!busy) part.replaceWith(found);
  watch(busy ? part : found, left);
}

function watch(part, left = 5) {
  if ("live" in part.dataset) left = 5;
  if (left) setTimeout(() => (document.hidden ? watch(part, left) : refresh(part, left - 1)), 2000);
}

for (const part of document.querySelectorAll("[data-live]")) watch(part);
