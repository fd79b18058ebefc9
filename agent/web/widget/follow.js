// Listens for what the assistant says by itself: a reminder, or a person who took over.
const AGAIN_MS = 5000;

class Follower {
  /**
   * @param {string} server the server's address without a slash at the end.
   * @param {Memory} memory keeps the conversation, and how far it was heard.
   * @param {(message: object) => void} hear is told each message.
   */
  constructor(server, memory, hear) {
    this.server = server;
    this.memory = memory;
    this.hear = hear;
    this.abort = null;
  }

  /** Listen while somebody looks, and not otherwise. */
  look(on) {
    if (on === Boolean(this.abort)) return;
    if (!on) {
      this.abort.abort();
      this.abort = null;
      return;
    }
    this.abort = new AbortController();
    this.listen(this.abort.signal);
  }

  async listen(signal) {
    while (!signal.aborted) {
      try {
        await this.hearOn(signal);
      } catch {
        // Cut off, or the server is away: it is tried again.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async hearOn(signal) {
    const conversation = this.memory.conversation;
    if (!conversation) return;
    const headers = { Authorization: `Bearer ${conversation.token}`, Accept: "text/event-stream" };
    if (conversation.heard) headers["Last-Event-ID"] = conversation.heard;
    const path = `/api/conversations/${encodeURIComponent(conversation.id)}/events`;
    const response = await fetch(this.server + path, { headers, credentials: "omit", signal });
    if (!response.ok) return;
    for await (const { event, data, id } of serverEvents(response.body, () => {})) {
      if (event === "message") this.hear(data);
      const now = this.memory.conversation;
      if (id && now && now.id === conversation.id) this.memory.conversation = { ...now, heard: id };
    }
  }
}
