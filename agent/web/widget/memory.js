// What survives a reload: the conversation's token, its messages, and what is still to be sent.
// Each lies under a name of its own, so that two tabs never write over each other.
const KEPT_MESSAGES = 200;
const KEPT_MS = 24 * 3600 * 1000;

/** A fresh id of 32 hexadecimal digits. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Memory {
  /** @param {string} key begins every name, one for each server. */
  constructor(key) {
    this.key = key;
    // Storage may be full or forbidden (private windows): then this page's memory must do.
    this.unsaved = new Map();
    this.latest = 0;
    const newest = this.all("message/").pop();
    if (newest && Date.now() - newest.at > KEPT_MS) this.clear();
  }

  get conversation() {
    return this.read("conversation");
  }

  set conversation(value) {
    this.write("conversation", value);
  }

  get open() {
    return this.read("open") === true;
  }

  set open(value) {
    this.write("open", value);
  }

  /** The messages, oldest first; what answers one (`turn` is its id) stands right after it. */
  messages() {
    const messages = this.all("message/");
    const asked = new Map(messages.map((one) => [one.id, one.at]));
    const begun = (one) => asked.get(one.turn) ?? one.at;
    return messages.sort((one, other) => begun(one) - begun(other) || one.at - other.at);
  }

  message(id) {
    return this.read(`message/${id}`);
  }

  /** Put a message in, or change the one with its id. */
  put(message) {
    const known = this.message(message.id);
    if (!known) for (const old of this.messages().slice(0, -KEPT_MESSAGES)) this.write(`message/${old.id}`, null);
    this.write(`message/${message.id}`, { at: this.now(), ...known, ...message });
  }

  /** What is still to be sent, oldest first. */
  outbox() {
    return this.all("out/");
  }

  enqueue(item) {
    this.write(`out/${item.id}`, { at: this.now(), ...item });
  }

  dequeue(item) {
    this.write(`out/${item.id}`, null);
  }

  /** Forget the conversation. */
  clear() {
    for (const name of this.names("")) if (name !== "open") this.write(name, null);
  }

  /** The present time in ms, later than any that was given before. */
  now() {
    return (this.latest = Math.max(Date.now(), this.latest + 1));
  }

  all(prefix) {
    const found = this.names(prefix).map((name) => this.read(name));
    return found.filter(Boolean).sort((one, other) => one.at - other.at);
  }

  names(prefix) {
    const start = `${this.key}/`;
    const names = new Set(this.unsaved.keys());
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(start)) names.add(name.slice(start.length));
    } catch {
      // Forbidden: what is unsaved is all there is.
    }
    return [...names].filter((name) => name.startsWith(prefix));
  }

  read(name) {
    if (this.unsaved.has(name)) return this.unsaved.get(name);
    try {
      return JSON.parse(localStorage.getItem(`${this.key}/${name}`));
    } catch {
      return null;
    }
  }

  write(name, value) {
    this.unsaved.delete(name);
    try {
      if (value === null) localStorage.removeItem(`${this.key}/${name}`);
      else localStorage.setItem(`${this.key}/${name}`, JSON.stringify(value));
    } catch {
      if (value !== null) this.unsaved.set(name, value);
    }
  }
}
