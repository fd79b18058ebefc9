// The little Markdown that answers carry (bold, code, links, tables), as elements around text nodes.
const MARKS = /\*\*(?=\S)(.+?)\*\*|`([^`\n]+)`|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/g;
const TABLE = /(?:^\|.*\|[ \t]*(?:\n|$)){2,}/gm;
const RULE = /^\|[\s:|-]+\|\s*$/;

/** A text of the assistant as nodes. */
function markedNodes(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(TABLE)) {
    nodes.push(...inlineNodes(text.slice(end, found.index)), tableView(found[0]));
    end = found.index + found[0].length;
  }
  return [...nodes, ...inlineNodes(text.slice(end))];
}

function inlineNodes(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(MARKS)) {
    const [whole, bold, code, title, address] = found;
    nodes.push(...textNodes(text.slice(end, found.index)));
    if (bold) nodes.push(el("strong", {}, ...textNodes(bold)));
    else if (code) nodes.push(el("code", { text: code }));
    else nodes.push(webAddress(address) ? link(webAddress(address), title) : whole);
    end = found.index + whole.length;
  }
  return [...nodes, ...textNodes(text.slice(end))];
}

function tableView(text) {
  const lines = text.trim().split("\n");
  const headed = lines.length > 1 && RULE.test(lines[1]);
  const rows = lines.filter((line) => !RULE.test(line)).map((line) => line.trim().slice(1, -1).split("|"));
  const row = (cells, kind) => el("tr", {}, ...cells.map((cell) => el(kind, {}, ...inlineNodes(cell.trim()))));
  return el("div", { class: "table", tabindex: "0" }, el("table", {}, ...rows.map((cells, at) => row(cells, headed && at === 0 ? "th" : "td"))));
}
