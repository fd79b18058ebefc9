// Marks entities in a message, with the mouse or keys. Offsets count characters (code points), as the server does.
"use strict";

class Marking {
  constructor(box) {
    this.characters = Array.from(box.dataset.text);
    this.marks = JSON.parse(box.dataset.entities);
    this.text = box.querySelector(".mark-text");
    this.naming = box.querySelector(".mark-name");
    this.chosen = box.querySelector(".mark-chosen");
    this.label = box.querySelector(".mark-label");
    this.list = box.querySelector(".marks");
    this.field = box.querySelector("[name=entities]");
    this.words = wordsOf(box.dataset.text);
    this.range = null;
    this.text.addEventListener("mouseup", () => this.fromMouse());
    this.text.addEventListener("keydown", (event) => this.key(event));
    box.querySelector("[data-add]").addEventListener("click", () => this.add());
    this.label.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) event.preventDefault(), this.add();
      if (event.key === "Escape") event.preventDefault(), this.name(null), this.text.focus();
    });
    this.draw();
  }

  draw() {
    const { range } = this;
    this.text.replaceChildren(
      ...this.characters.map((character, at) => {
        const node = document.createElement("span");
        node.textContent = character;
        if (this.marks.some((mark) => mark.start <= at && at < mark.end)) node.classList.add("on");
        if (range && range[0] <= at && at < range[1]) node.classList.add("at");
        return node;
      }),
    );
    this.list.replaceChildren(...this.marks.map((mark) => this.chip(mark)));
  }

  chip(mark) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const what = this.slice(mark.start, mark.end);
    button.type = "button";
    button.append(bdi(what), ` ${mark.label} ×`);
    button.setAttribute("aria-label", `Remove ${mark.label}: ${what}`);
    button.addEventListener("click", () => this.remove(mark));
    item.append(button);
    return item;
  }

  slice(start, end) {
    return this.characters.slice(start, end).join("");
  }

  fromMouse() {
    const selection = getSelection();
    if (!selection.rangeCount || selection.isCollapsed || !this.text.contains(selection.anchorNode)) return;
    const range = selection.getRangeAt(0);
    const before = document.createRange();
    before.selectNodeContents(this.text);
    before.setEnd(range.startContainer, range.startOffset);
    const start = Array.from(before.toString()).length;
    const end = start + Array.from(range.toString()).length;
    this.name(this.trimmed(start, Math.min(end, this.characters.length)));
  }

  trimmed(start, end) {
    while (start < end && !this.characters[start].trim()) start++;
    while (end > start && !this.characters[end - 1].trim()) end--;
    return start < end ? [start, end] : null;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const forward = getComputedStyle(this.text).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === forward ? 1 : -1, event.shiftKey);
    else if (event.key === "," || event.key === ".") this.resize(event.key === "." ? 1 : -1);
    else if (event.key === "Enter" && this.range) this.name(this.range);
    else if ((event.key === "Delete" || event.key === "Backspace") && this.range) this.removeUnder();
    else return;
    event.preventDefault();
  }

  step(by, extend) {
    if (!this.words.length) return;
    const at = this.range ? this.words.findIndex(([, end]) => end >= this.range[1]) : by > 0 ? -1 : this.words.length;
    const word = this.words[Math.max(0, Math.min(this.words.length - 1, at + by))];
    if (!extend || !this.range) this.range = [...word];
    else if (word[1] > this.range[0]) this.range = [this.range[0], word[1]];
    this.draw();
  }

  resize(by) {
    if (!this.range) return;
    const end = Math.max(this.range[0] + 1, Math.min(this.characters.length, this.range[1] + by));
    this.range = [this.range[0], end];
    this.draw();
  }

  name(range) {
    this.range = range;
    this.naming.hidden = !range;
    this.draw();
    if (!range) return;
    this.chosen.textContent = this.slice(...range);
    this.label.focus();
  }

  add() {
    const label = this.label.value.trim();
    if (!label || !this.range) return this.label.focus();
    const [start, end] = this.range;
    this.marks = this.marks.filter((mark) => mark.end <= start || mark.start >= end);
    this.marks.push({ start, end, label, value: this.slice(start, end) });
    this.marks.sort((one, other) => one.start - other.start);
    this.naming.hidden = true;
    this.label.value = "";
    this.changed();
    this.text.focus();
  }

  removeUnder() {
    const [start, end] = this.range;
    this.marks = this.marks.filter((mark) => mark.end <= start || mark.start >= end);
    this.changed();
  }

  remove(mark) {
    this.marks = this.marks.filter((one) => one !== mark);
    this.changed();
    this.text.focus();
  }

  changed() {
    this.field.value = JSON.stringify(this.marks);
    this.draw();
  }
}

function bdi(text) {
  const node = document.createElement("bdi");
  node.textContent = text;
  return node;
}

/** The words of a text as [start, end) in code points; Chinese and Thai are cut into words, too. */
function wordsOf(text) {
  const found = [];
  let at = 0;
  for (const { segment, isWordLike } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)) {
    const length = Array.from(segment).length;
    if (isWordLike || /\p{S}/u.test(segment)) found.push([at, at + length]);
    at += length;
  }
  return found;
}

for (const box of document.querySelectorAll("[data-marking]")) new Marking(box);
