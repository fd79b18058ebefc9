// What the widget says, by language. A page may add its own:
// customElements.get("agent-chat").texts.fr = { lang: "fr", … }
const TEXTS = {
  en: {
    lang: "en",
    title: "Assistant",
    greeting: "Hello! How can I help?",
    open: "Open the chat",
    close: "Close the chat",
    restart: "Start again",
    askRestart: "Start again? This conversation disappears from here.",
    placeholder: "Write a message…",
    input: "Your message",
    send: "Send",
    log: "Conversation",
    you: "You",
    bot: "Assistant",
    typing: "The assistant is writing",
    waiting: "No connection. Your message goes out as soon as you are back online.",
    busy: "Many people are asking at the moment. Your message goes out shortly.",
    failed: "This message could not be sent.",
    again: "Try again",
    source: "Source",
    openSource: "Open the page",
    picture: "Picture",
    openPicture: "Open the picture",
    good: "Helpful",
    bad: "Not helpful",
    wrong: "That's wrong",
    meant: "What did you mean?",
    other: "Something else",
    explain: "In your own words (optional)",
    sendFeedback: "Send",
    cancel: "Cancel",
    thanks: "Thank you.",
    thanksWrong: "Thank you. A person will look at it.",
    feedbackFailed: "That could not be sent.",
    handoff: "A person will take over. You can go on writing.",
    unread: "new messages",
  },
  zh: {
    lang: "zh",
    title: "智能助手",
    greeting: "您好！有什么可以帮您？",
    open: "打开聊天窗口",
    close: "关闭聊天窗口",
    restart: "重新开始",
    askRestart: "要重新开始吗？当前对话将从此处消失。",
    placeholder: "请输入消息…",
    input: "您的消息",
    send: "发送",
    log: "对话",
    you: "您",
    bot: "助手",
    typing: "助手正在输入",
    waiting: "网络已断开。恢复连接后，消息会自动发送。",
    busy: "当前咨询人数较多，您的消息稍后自动发送。",
    failed: "这条消息未能发送。",
    again: "重试",
    source: "来源",
    openSource: "打开页面",
    picture: "图片",
    openPicture: "查看图片",
    good: "有帮助",
    bad: "没有帮助",
    wrong: "回答有误",
    meant: "您想问的是什么？",
    other: "其他",
    explain: "请用您自己的话说明（可不填）",
    sendFeedback: "提交",
    cancel: "取消",
    thanks: "谢谢您的反馈。",
    thanksWrong: "谢谢，我们会有人工核查。",
    feedbackFailed: "提交失败。",
    handoff: "将由人工客服接待，您可以继续留言。",
    unread: "条新消息",
  },
};

const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/i;

/** The texts of a language tag such as `zh-CN`, by its longest known beginning; English else. */
function textsFor(tag) {
  const parts = String(tag || "").split("-");
  for (let n = parts.length; n > 0; n--) {
    const found = TEXTS[parts.slice(0, n).join("-")] || TEXTS[parts.slice(0, n).join("-").toLowerCase()];
    if (found) return { ...TEXTS.en, ...found };
  }
  return TEXTS.en;
}
