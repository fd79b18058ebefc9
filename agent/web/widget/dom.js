// Builds elements. Whatever came from the server or the user becomes a text node, never markup.
const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  chat: "M4 5.5A2.5 2.5 0 0 1 6.500 3h11A2.5 2.5 0 0 1 20 5.5v8a2.500 2.500 0 0 1-2.500 2.500H11l-4.500 4v-4A2.500 2.500 0 0 1 4 13.500z",
  close: "M6 6l12 12M18 6L6 18",
  restart: "M4.500 12a7.500 7.500 0 1 0 2.600-5.700M4 3.500v4h4",
  send: "M12 19V5M6 11l6-6 6 6",
  good: "M7 11v9H4v-9zm0 0l4-8c1.700 0 2.600 1 2.600 2.500L13 9h5.300c1.200 0 2 1 1.700 2.200l-1.500 7A2.200 2.200 0 0 1 16.400 20H7",
  bad: "M17 13V4h3v9zm0 0l-4 8c-1.700 0-2.600-1-2.600-2.500L11 15H5.700c-1.200 0-2-1-1.700-2.200l1.500-7A2.200 2.200 0 0 1 7.600 4H17",
};

/** An element with attributes (functions listen, `class` and `text` as named) and children. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else if (key === "text") node.textContent = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** The address if it is a web address, else null: no javascript:, data: or file: links. */
function webAddress(value, base) {
  try {
    const url = new URL(String(value), base);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

function link(href, text, attributes = {}) {
  return el("a", { href, text, target: "_blank", rel: "noopener noreferrer nofollow", ...attributes });
}

/** Text as nodes; web addresses in it become links. */
function textNodes(text) {
  const nodes = [];
  let end = 0;
  for (const found of String(text).matchAll(/https?:\/\/[^\s<>"'）】，。]+[^\s<>"'）】，。.,;:!?)\]]/g)) {
    const href = webAddress(found[0]);
    if (!href) continue;
    nodes.push(document.createTextNode(text.slice(end, found.index)), link(href, found[0]));
    end = found.index + found[0].length;
  }
  nodes.push(document.createTextNode(String(text).slice(end)));
  return nodes;
}
