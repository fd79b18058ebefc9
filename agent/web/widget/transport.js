// Talks to the server: conversations, messages (streamed), feedback. Nothing here touches the page.
const IDLE_MS = 60000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;

/** Worth another try after `after` milliseconds; `why` names the text to show. */
class Later extends Error {
  constructor(why, after) {
    super(why);
    this.why = why;
    this.after = after;
  }
}

/** The server does not take this; another try would not help. */
class Refused extends Error {}

/** The server-sent events of a response body, as {event, data, id}. */
async function* serverEvents(body, alive) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    alive();
    buffer += decoder.decode(value, { stream: !done });
    const blocks = buffer.split(/\r?\n\r?\n/);
    buffer = done ? "" : blocks.pop();
    for (const block of blocks) {
      const found = oneEvent(block);
      if (found) yield found;
    }
    if (done) return;
  }
}

function oneEvent(block) {
  let event = "message";
  let id = "";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("id:")) id = line.slice(3).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { event, id, data: JSON.parse(data.join("\n")) } : null;
}

class Transport {
  /**
   * @param {string} server the server's address without a slash at the end.
   * @param {Memory} memory keeps the conversation and the outbox.
   * @param {object} hear told what comes: turnStarts, delta, reply, turnEnds, sent, waits, refused.
   */
  constructor(server, memory, hear) {
    this.server = server;
    this.memory = memory;
    this.hear = hear;
    this.wait = FIRST_WAIT_MS;
    this.wake = () => {};
    this.running = false;
  }

  /** Queue an item ({id, kind: "message" | "feedback", body}) and send what is queued. */
  send(item) {
    this.memory.enqueue(item);
    this.wake();
    this.pump();
  }

  /** Send the outbox in order. Ids make a repeated request harmless, so that nothing counts twice. */
  async pump() {
    if (this.running) return;
    this.running = true;
    try {
      // Two tabs share one outbox: only one of them sends at a time.
      if (navigator.locks) await navigator.locks.request(this.memory.key, () => this.drain());
      else await this.drain();
    } finally {
      this.running = false;
    }
    if (this.memory.outbox().length) this.pump();
  }

  async drain() {
    for (let item; (item = this.memory.outbox()[0]); ) {
      try {
        await this.deliver(item);
        this.wait = FIRST_WAIT_MS;
        this.memory.dequeue(item);
        this.hear.sent(item);
      } catch (error) {
        // Feedback beyond the day's quota must not hold up what is said after it.
        if (error instanceof Refused || (item.kind === "feedback" && error.why === "busy")) {
          this.memory.dequeue(item);
          this.hear.refused(item);
          continue;
        }
        // A broken stream or an unreachable server: both look like a TypeError of fetch.
        this.hear.waits(item, error instanceof Later ? error.why : "waiting");
        await this.pause(error.after ?? this.wait);
        this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
      }
    }
  }

  pause(ms) {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  async deliver(item, again = true) {
    const { id, token } = await this.conversation();
    const isMessage = item.kind === "message";
    const path = isMessage ? `/api/conversations/${encodeURIComponent(id)}/messages` : "/api/feedback";
    const abort = new AbortController();
    let timer;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), IDLE_MS);
    };
    alive();
    try {
      const accept = isMessage ? "text/event-stream, application/json" : "application/json";
      const response = await this.post(path, item.body, { Accept: accept, Authorization: `Bearer ${token}` }, abort);
      if (response.status === 401 && again) {
        // The token has expired: the talk goes on in a new conversation.
        this.memory.conversation = null;
        return await this.deliver(item, false);
      }
      check(response);
      if (isMessage) await this.hearTurn(item, response, alive);
    } finally {
      clearTimeout(timer);
    }
  }

  async hearTurn(item, response, alive) {
    this.hear.turnStarts(item);
    if (!/event-stream/.test(response.headers.get("Content-Type") || "")) {
      const turn = await response.json();
      turn.replies.forEach((reply, number) => this.hear.reply(item, number, reply));
      return this.hear.turnEnds(item, turn);
    }
    for await (const { event, data } of serverEvents(response.body, alive)) {
      if (event === "delta") this.hear.delta(item, data.reply, data.text);
      else if (event === "reply") this.hear.reply(item, data.reply, data);
      else if (event === "error") throw failure(data.code);
      else if (event === "done") return this.hear.turnEnds(item, data);
    }
    throw new Later("waiting");
  }

  async conversation() {
    const known = this.memory.conversation;
    if (known) return known;
    const response = await this.post("/api/conversations", {}, { Accept: "application/json" });
    check(response);
    const made = await response.json();
    return (this.memory.conversation = { id: made.conversation_id, token: made.token });
  }

  post(path, body, headers, abort) {
    return fetch(this.server + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
      credentials: "omit",
      signal: abort && abort.signal,
    });
  }
}

function check(response) {
  if (response.ok) return;
  const seconds = Number(response.headers.get("Retry-After"));
  throw failure(response.status, seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined);
}

/** What a status means for an item: another try later, or none. */
function failure(status, after) {
  if (status === 429) return new Later("busy", after);
  if (status >= 500 || status === 408 || status === 409) return new Later("waiting", after);
  return new Refused(String(status));
}
