// One message as elements: text, picture, cards, sources, quick replies.

/** A source as a disclosure: its passage, and a link where it has an address. */
function sourceView(source, texts, base) {
  const href = source.url && webAddress(source.url, base);
  return el(
    "details",
    { class: "source", toggle: (event) => event.target.open && event.target.scrollIntoView({ block: "nearest" }) },
    el("summary", {}, el("span", { dir: "auto" }, `${texts.source}: `, el("bdi", { text: source.title || source.document_id }))),
    el("blockquote", { dir: "auto" }, ...markedNodes(source.text || "")),
    href ? link(href, texts.openSource) : null,
  );
}

function buttonRow(buttons, label, press) {
  const row = el("div", { class: "replies", role: "group", "aria-label": label });
  for (const button of buttons) {
    const href = button.url && webAddress(button.url);
    row.append(
      href
        ? link(href, button.title, { class: "reply", dir: "auto" })
        : el("button", { class: "reply", type: "button", dir: "auto", text: button.title, click: () => press(button) }),
    );
  }
  return row;
}

function cardView(card, base, press) {
  const picture = card.image_url && webAddress(card.image_url, base);
  return el(
    "li",
    { class: "card" },
    picture ? el("img", { src: picture, alt: "", loading: "lazy", referrerpolicy: "no-referrer" }) : null,
    el("div", { class: "card-title", dir: "auto", text: card.title || "" }),
    card.subtitle ? el("div", { class: "card-text", dir: "auto" }, ...markedNodes(card.subtitle)) : null,
    card.buttons ? buttonRow(card.buttons, card.title || "", press) : null,
  );
}

function pictureView(address, texts, base) {
  const href = webAddress(address, base);
  if (!href) return null;
  const opener = link(href, "", { class: "picture", "aria-label": texts.openPicture });
  const image = el("img", { src: href, alt: texts.picture, loading: "lazy", referrerpolicy: "no-referrer" });
  // A page's own policy may forbid foreign pictures: then the link remains.
  image.addEventListener("error", () => opener.replaceChildren(texts.openPicture));
  opener.append(image);
  return opener;
}

/** A message of the user, the assistant, or a note between them. */
function messageView(message, texts, base, press) {
  if (message.from === "note") return el("div", { class: "note", text: texts[message.text] || message.text });
  const who = message.from === "user" ? texts.you : texts.bot;
  const bubble = el("div", { class: "bubble", dir: "auto" }, el("span", { class: "hidden", text: `${who}: ` }));
  if (message.text) bubble.append(...(message.from === "user" ? textNodes : markedNodes)(message.text));
  const row = el("div", { class: `row ${message.from}` });
  if (message.text) row.append(bubble);
  if (message.image) row.append(pictureView(message.image, texts, base) || "");
  if (message.cards) row.append(el("ul", { class: "cards" }, ...message.cards.map((card) => cardView(card, base, press))));
  for (const source of message.sources || []) row.append(sourceView(source, texts, base));
  return row;
}

/** A reply of the server as a message: only what we show, of the kinds we expect. */
function replyMessage(reply) {
  const custom = reply.custom && typeof reply.custom === "object" ? reply.custom : {};
  const list = (value) => (Array.isArray(value) ? value.filter((one) => one && typeof one === "object") : []);
  const cards = [...list(reply.elements), ...list(custom.elements || custom.cards)].map((card) => ({
    title: asText(card.title),
    subtitle: asText(card.subtitle),
    image_url: asText(card.image_url),
    buttons: list(card.buttons).map(asButton),
  }));
  return {
    from: "bot",
    text: asText(reply.text),
    image: asText(reply.image),
    cards: cards.length ? cards : undefined,
    buttons: list(reply.buttons).map(asButton),
    sources: list(reply.sources).map((one) => ({
      title: asText(one.title),
      url: asText(one.url),
      text: asText(one.text),
      document_id: asText(one.document_id),
    })),
  };
}

function asButton(button) {
  return { title: asText(button.title) || asText(button.payload), payload: asText(button.payload), url: asText(button.url) };
}

function asText(value) {
  return value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}
