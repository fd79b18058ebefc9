// Under an answer: helpful or not, and what it should have been.

/**
 * The row of a turn's verdict.
 * @param {object} turn {turn_id, choices: [{intent, title}], verdict?: "good" | "bad" | "wrong" | "failed"}
 * @param {(said: object, verdict: string) => void} say sends feedback about the turn.
 */
function verdictView(turn, texts, say) {
  if (turn.verdict && turn.verdict !== "bad") {
    const thanks = turn.verdict === "wrong" ? texts.thanksWrong : turn.verdict === "failed" ? texts.feedbackFailed : texts.thanks;
    return el("div", { class: "verdict", text: thanks });
  }
  const row = el("div", { class: "verdict" });
  const thumb = (name, act) => el("button", { type: "button", class: "thumb", "aria-label": texts[name], title: texts[name], click: act }, icon(name));
  const wrong = el("button", { type: "button", class: "wrong", "aria-expanded": "false", text: texts.wrong });
  let form = null;
  const close = () => {
    form.remove();
    form = null;
    wrong.setAttribute("aria-expanded", "false");
    wrong.focus();
  };
  wrong.addEventListener("click", () => {
    if (form) return close();
    wrong.setAttribute("aria-expanded", "true");
    form = correctionView(turn, texts, say, close);
    row.after(form);
    form.querySelector("input").focus();
    form.scrollIntoView({ block: "nearest" });
  });
  // After a thumb down there is still room for the reason.
  if (turn.verdict) row.append(el("span", { text: texts.thanks }), wrong);
  else row.append(
    thumb("good", () => say({ kind: "thumbs", liked: true }, "good")),
    thumb("bad", () => say({ kind: "thumbs", liked: false }, "bad")),
    wrong,
  );
  return row;
}

/** The choice of what was meant: the likely intents, something else, and words of one's own. */
function correctionView(turn, texts, say, close) {
  const name = `meant-${turn.turn_id}`;
  const option = (value, title) =>
    el("label", {}, el("input", { type: "radio", name, value, required: true }), el("bdi", { text: title }));
  const words = el("textarea", { rows: "2", maxlength: "2000", dir: "auto", "aria-label": texts.explain, placeholder: texts.explain });
  const choices = turn.choices || [];
  const form = el(
    "form",
    { class: "correct", keydown: (event) => event.key === "Escape" && (event.stopPropagation(), close()) },
    el(
      "fieldset",
      {},
      el("legend", { text: texts.meant }),
      ...choices.map((choice) => option(choice.intent, choice.title || choice.intent)),
      option("", texts.other),
    ),
    words,
    el(
      "div",
      { class: "actions" },
      el("button", { type: "button", class: "plain", text: texts.cancel, click: close }),
      el("button", { type: "submit", class: "main", text: texts.sendFeedback }),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const intent = form.querySelector("input:checked").value;
    const reason = words.value.trim();
    say(intent ? { kind: "intent", intent, reason } : { kind: "thumbs", liked: false, reason }, "wrong");
  });
  return form;
}
