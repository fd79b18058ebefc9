// The search for an intent: the list is on the page already; this filters it and moves in it.
"use strict";

class Combobox {
  constructor(box) {
    this.input = box.querySelector("[role=combobox]");
    this.isNew = box.querySelector("[name=new_intent]");
    this.note = box.querySelector("[data-new]");
    this.list = box.querySelector("[role=listbox]");
    this.options = [...this.list.children].map((node) => ({ node, name: node.dataset.name, words: node.textContent.toLowerCase() }));
    this.names = new Set(this.options.map((option) => option.name));
    this.make = document.createElement("li");
    this.make.setAttribute("role", "option");
    this.make.id = `${this.input.id}-new`;
    this.list.append(this.make);
    this.at = -1;
    this.input.addEventListener("input", () => this.show());
    this.input.addEventListener("click", () => this.show());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("taken", () => this.mark(false));
    this.input.addEventListener("blur", () => this.hide());
    // mousedown: a click would come after the blur that closes the list.
    this.list.addEventListener("mousedown", (event) => this.pick(event.target.closest("[role=option]"), event));
  }

  show() {
    const wanted = this.input.value.trim().toLowerCase().split(/\s+/);
    for (const { node, words } of this.options) node.hidden = !wanted.every((word) => words.includes(word));
    const name = this.newName();
    this.make.hidden = !name || this.names.has(name);
    this.make.textContent = `New intent “${name}”`;
    this.mark(false);
    this.list.hidden = !this.visible().length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.choose(this.input.value ? 0 : -1);
  }

  /** What is typed as an intent's name: no blanks, no markup. */
  newName() {
    return this.input.value.trim().replace(/\s+/g, "_").replace(/[{}()[\]"'<>:]/g, "");
  }

  visible() {
    return [...this.list.children].filter((node) => !node.hidden);
  }

  choose(at) {
    const shown = this.visible();
    this.at = Math.max(-1, Math.min(at, shown.length - 1));
    shown.forEach((node, number) => node.setAttribute("aria-selected", String(number === this.at)));
    const active = shown[this.at];
    if (active) this.input.setAttribute("aria-activedescendant", active.id), active.scrollIntoView({ block: "nearest" });
    else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.isComposing) return;
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return this.show(), this.choose(0);
      this.choose(this.at + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && open && !event.ctrlKey && !event.metaKey) {
      // Enter takes the choice; a second Enter sends the form.
      this.pick(this.visible()[this.at], event);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      this.hide();
    }
  }

  pick(node, event) {
    if (!node) return;
    event.preventDefault();
    const isNew = node === this.make;
    this.input.value = isNew ? this.newName() : node.dataset.name;
    this.mark(isNew);
    this.hide();
    this.input.focus();
  }

  /** Say (and send) whether the name is one that the assistant does not have yet. */
  mark(isNew) {
    this.isNew.value = isNew ? "1" : "";
    this.note.hidden = !isNew;
  }

  hide() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

for (const box of document.querySelectorAll(".combo")) new Combobox(box);
for (const input of document.querySelectorAll("#intent")) input.dataset.key = "c";
