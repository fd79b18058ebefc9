// The element <agent-chat>: joins what is kept, what is sent and what is shown.
const HERE = document.currentScript;
const MAX_CHARS = 4000;

class AgentChat extends HTMLElement {
  static texts = TEXTS;
  static observedAttributes = ["lang", "dir", "title", "theme"];

  connectedCallback() {
    if (this.transport) return this.label();
    this.server = (this.getAttribute("server") || this.constructor.server).replace(/\/+$/, "");
    this.memory = new Memory(`agent-chat:${this.server}`);
    this.shown = new Map();
    this.partial = new Map();
    this.transport = new Transport(this.server, this.memory, this.listener());
    this.follower = new Follower(this.server, this.memory, (message) => this.told(message));
    this.build();
    this.label();
    this.render();
    if (this.hasAttribute("inline") || this.memory.open) this.toggle(true, false);
    addEventListener("storage", (event) => (event.key || "").startsWith(this.memory.key) && this.render());
    addEventListener("online", () => this.transport.wake());
    document.addEventListener("visibilitychange", () => this.look());
    this.transport.pump();
  }

  attributeChangedCallback() {
    if (this.transport) this.label();
  }

  /** Open (or close) the chat. */
  toggle(open = !this.isOpen, focus = true) {
    const inline = this.hasAttribute("inline");
    this.isOpen = open || inline;
    this.panel.hidden = !this.isOpen;
    this.launcher.hidden = inline || this.isOpen;
    this.memory.open = this.isOpen;
    if (this.isOpen) this.unread(0), this.toEnd();
    this.look();
    if (focus) (this.isOpen ? this.input : this.launcher).focus();
  }

  /** Say something as the user: `title` is shown, `text` is sent. */
  say(text, title = text) {
    const said = String(text).trim().slice(0, MAX_CHARS);
    if (!said) return;
    const id = newId();
    this.memory.put({ id, from: "user", text: title, state: "sending" });
    this.render();
    this.toEnd();
    this.transport.send({ id, kind: "message", body: { text: said, message_id: id } });
  }

  /** Ask before the conversation is forgotten; there is nothing to ask before anything was said. */
  askRestart(on = true) {
    this.ask.hidden = !on || !this.memory.messages().length;
    if (!this.ask.hidden) this.ask.querySelector("button").focus();
    else this.input.focus();
  }

  /** Forget this conversation and begin another one. */
  restart() {
    this.ask.hidden = true;
    this.memory.clear();
    this.partial.clear();
    this.render();
    this.input.focus();
  }

  build() {
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.badge = el("span", { class: "badge", hidden: true });
    this.launcher = el("button", { type: "button", class: "launcher", click: () => this.toggle(true) }, icon("chat"), this.badge);
    this.heading = el("h2", { id: "title" });
    this.restarter = el("button", { type: "button", class: "icon", click: () => this.askRestart() }, icon("restart"));
    this.closer = el("button", { type: "button", class: "icon close", click: () => this.toggle(false) }, icon("close"));
    this.ask = el("div", { class: "ask", role: "group", hidden: true, keydown: (event) => event.key === "Escape" && (event.stopPropagation(), this.askRestart(false)) });
    this.log = el("div", { class: "log", role: "log", tabindex: "0" });
    this.typing = el("div", { class: "typing", hidden: true }, el("i"), el("i"), el("i"));
    this.scroll = el("div", { class: "scroll" }, this.log, this.typing);
    this.status = el("div", { class: "status", role: "status" });
    this.input = el("textarea", { rows: "1", maxlength: MAX_CHARS, dir: "auto", enterkeyhint: "send", input: () => this.grow(), keydown: (event) => this.key(event) });
    this.sender = el("button", { type: "submit", class: "send" }, icon("send"));
    this.form = el("form", { class: "compose", submit: (event) => (event.preventDefault(), this.submit()) }, this.input, this.sender);
    this.panel = el(
      "section",
      { class: "panel", role: "dialog", "aria-labelledby": "title", hidden: true, keydown: (event) => event.key === "Escape" && this.toggle(false) },
      el("header", {}, this.heading, this.restarter, this.closer),
      this.ask,
      this.scroll,
      this.status,
      this.form,
    );
    root.append(this.launcher, this.panel);
  }

  /** Put every fixed text into the page's (or our own) language. */
  label() {
    const near = this.closest("[lang]") || document.documentElement;
    const tag = this.getAttribute("lang") || near.lang || navigator.language;
    const texts = (this.said = textsFor(tag));
    const dir = this.getAttribute("dir") || (this.hasAttribute("lang") && RIGHT_TO_LEFT.test(tag) ? "rtl" : getComputedStyle(this.parentElement || this).direction);
    const name = (node, text) => (node.setAttribute("aria-label", text), (node.title = text));
    for (const node of [this.panel, this.launcher]) node.setAttribute("dir", dir), node.setAttribute("lang", texts.lang);
    this.heading.textContent = this.getAttribute("title") || texts.title;
    name(this.launcher, texts.open);
    name(this.closer, texts.close);
    name(this.restarter, texts.restart);
    name(this.sender, texts.send);
    this.ask.setAttribute("aria-label", texts.restart);
    this.ask.replaceChildren(
      el("span", { text: texts.askRestart }),
      el("button", { type: "button", class: "main", text: texts.restart, click: () => this.restart() }),
      el("button", { type: "button", class: "plain", text: texts.cancel, click: () => this.askRestart(false) }),
    );
    this.input.setAttribute("aria-label", texts.input);
    this.input.placeholder = texts.placeholder;
    this.log.setAttribute("aria-label", texts.log);
    this.shown.clear();
    this.log.replaceChildren();
    if (this.isOpen !== undefined || this.memory) this.render();
  }

  /** Bring the log in step with the messages that are kept; what has not changed stays. */
  render() {
    const first = { id: "greeting", from: "bot", text: this.getAttribute("greeting") || this.said.greeting };
    const messages = [first, ...this.memory.messages()];
    const last = messages[messages.length - 1];
    const suggested = (this.getAttribute("suggestions") || "").split("|").filter(Boolean);
    const seen = new Set(messages.map((message) => message.id));
    const atEnd = this.atEnd();
    for (const [id, { node }] of this.shown) if (!seen.has(id)) node.remove(), this.shown.delete(id);
    let above = null;
    for (const message of messages) {
      const buttons = message !== last ? [] : message === first ? suggested.map((title) => ({ title, payload: title })) : message.buttons || [];
      const version = JSON.stringify([message, buttons]);
      const known = this.shown.get(message.id);
      const same = known && known.version === version;
      const node = same ? known.node : this.view(message, buttons);
      if (known && !same) known.node.replaceWith(node);
      if (this.below(above) !== node) above ? above.after(node) : this.log.prepend(node);
      this.shown.set(message.id, { node, version });
      above = node;
    }
    if (atEnd) this.toEnd();
  }

  /** The row below another one (null: the first), leaving out answers that are coming in. */
  below(row) {
    let next = row ? row.nextElementSibling : this.log.firstElementChild;
    while (next && next.dataset.partial) next = next.nextElementSibling;
    return next;
  }

  view(message, buttons) {
    const press = (button) => (this.say(button.payload || button.title, button.title), this.input.focus());
    const row = messageView(message, this.said, this.server, press);
    if (message.state === "sending") row.classList.add("sending");
    if (message.state === "failed") {
      const again = el("button", { type: "button", class: "wrong", text: this.said.again, click: () => this.again(message) });
      row.append(el("div", { class: "failed" }, this.said.failed, " ", again));
    }
    if (buttons.length) row.append(buttonRow(buttons, this.said.bot, press));
    if (message.turn_id) row.append(this.verdict(message));
    return row;
  }

  verdict(message) {
    const say = (said, verdict) => this.judge(message, said, verdict);
    return el("div", { class: "judge" }, verdictView(message, this.said, say));
  }

  /** What the transport tells. */
  listener() {
    const key = (item, number) => `${item.id}:${number}`;
    // The person may have started again while an answer was on its way.
    const gone = (item) => !this.memory.message(item.id);
    return {
      turnStarts: (item) => {
        if (gone(item)) return;
        this.dropPartial(item);
        this.memory.put({ id: item.id, state: "sent" });
        this.busy(true);
        this.tell("");
        this.render();
      },
      delta: (item, number, text) => gone(item) || this.grownPartial(item, key(item, number), text),
      reply: (item, number, reply) => {
        if (gone(item)) return;
        this.forgetPartial(key(item, number));
        this.memory.put({ id: key(item, number), turn: item.id, ...replyMessage(reply) });
        if (reply.custom) this.dispatchEvent(new CustomEvent("agent-chat:custom", { detail: reply.custom, bubbles: true }));
        this.render();
        if (!this.isOpen) this.unread((this.count || 0) + 1);
      },
      turnEnds: (item, turn) => {
        this.busy(false);
        if (!gone(item)) this.ended(item, turn);
        this.look();
      },
      sent: () => (this.log.classList.remove("waiting"), this.tell("")),
      waits: (item, why) => {
        this.busy(false);
        this.dropPartial(item);
        const atEnd = this.atEnd();
        this.log.classList.add("waiting");
        this.tell(this.said[why]);
        if (atEnd) this.toEnd();
      },
      refused: (item) => {
        this.busy(false);
        this.tell("");
        if (item.kind === "feedback") this.memory.put({ id: item.about, verdict: "failed" });
        else if (!gone(item)) this.memory.put({ id: item.id, state: "failed", again: item });
        this.render();
      },
    };
  }

  /** Listen while somebody looks at an open conversation. */
  look() {
    this.follower.look(Boolean(this.isOpen && !document.hidden && this.memory.conversation));
  }

  /** The assistant (or a person) said something by itself; answers that we have had are no news. */
  told(message) {
    const coming = this.memory.outbox().some((one) => one.id === message.message_id);
    const text = asText(message.text);
    const known = this.memory.messages().some((one) => one.turn && one.turn === message.message_id && one.text === text);
    if (coming || known) return;
    this.memory.put({ id: `said:${message.at}`, ...replyMessage(message) });
    this.render();
  }

  /** The last reply of a turn carries its verdict; a person who takes over is said so once. */
  ended(item, turn) {
    const last = this.memory.messages().findLast((one) => one.turn === item.id);
    if (last) this.memory.put({ id: last.id, turn_id: turn.turn_id, choices: turn.choices });
    if (turn.handoff && !this.memory.message("handoff")) this.memory.put({ id: "handoff", turn: item.id, from: "note", text: "handoff" });
    this.render();
  }

  judge(message, said, verdict) {
    this.memory.put({ id: message.id, verdict });
    this.render();
    this.input.focus();
    const id = newId();
    this.transport.send({ id, kind: "feedback", about: message.id, body: { id, turn_id: message.turn_id, ...said } });
  }

  again(message) {
    const { at, ...item } = message.again;
    this.memory.put({ id: message.id, state: "sending", at: this.memory.now() });
    this.render();
    this.toEnd();
    this.transport.send(item);
  }

  grownPartial(item, id, text) {
    let node = this.partial.get(id);
    if (!node) {
      node = document.createTextNode("");
      this.partial.set(id, node);
      const row = el("div", { class: "row bot", "data-partial": id }, el("div", { class: "bubble", dir: "auto" }, node));
      const above = this.memory.messages().findLast((one) => one.id === item.id || one.turn === item.id);
      const known = above && this.shown.get(above.id);
      known ? known.node.after(row) : this.log.append(row);
      this.typing.hidden = true;
    }
    const atEnd = this.atEnd();
    node.data += text;
    if (atEnd) this.toEnd();
  }

  forgetPartial(id) {
    const node = this.partial.get(id);
    if (node) node.parentElement.parentElement.remove();
    this.partial.delete(id);
  }

  dropPartial(item) {
    for (const id of [...this.partial.keys()]) if (id.startsWith(`${item.id}:`)) this.forgetPartial(id);
  }

  /** While an answer comes in, screen readers wait for the whole of it. */
  busy(on) {
    this.typing.hidden = !on;
    this.log.setAttribute("aria-busy", String(on));
    this.status.classList.toggle("hidden", on);
    if (on && this.log.lastElementChild) this.toEnd();
    this.status.textContent = on ? this.said.typing : "";
  }

  tell(text) {
    if (this.log.getAttribute("aria-busy") !== "true") this.status.textContent = text;
  }

  unread(count) {
    this.count = count;
    this.badge.hidden = !count;
    this.badge.textContent = count || "";
    const label = count ? `${this.said.open} (${count} ${this.said.unread})` : this.said.open;
    this.launcher.setAttribute("aria-label", label);
  }

  submit() {
    this.say(this.input.value);
    this.input.value = "";
    this.grow();
  }

  key(event) {
    // An input method's Enter (Chinese, Japanese) chooses a word; it does not send.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submit();
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 120)}px`;
  }

  /** Whether the reader sees the newest message, and has not scrolled up to an older one. */
  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    return scrollHeight - scrollTop - clientHeight < 48;
  }

  /** Show the newest messages; of an answer that is longer than the log, its beginning. */
  toEnd() {
    const box = this.scroll;
    box.scrollTop = box.scrollHeight;
    const said = [...this.log.querySelectorAll(".row.user")].pop();
    if (said) box.scrollTop += Math.min(0, said.getBoundingClientRect().top - box.getBoundingClientRect().top - 12);
  }
}

AgentChat.server = HERE ? new URL(HERE.src).origin : location.origin;

/** One script tag is enough: without an element of its own the page gets one. */
function addElement() {
  if (document.querySelector("agent-chat") || !HERE || "manual" in HERE.dataset) return;
  const chat = document.createElement("agent-chat");
  for (const [name, value] of Object.entries(HERE.dataset)) chat.setAttribute(name, value);
  document.body.append(chat);
}

if (!customElements.get("agent-chat")) {
  customElements.define("agent-chat", AgentChat);
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", addElement);
  else addElement();
}
