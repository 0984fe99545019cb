// Making elements. Text only ever enters a page through text nodes, so nothing a customer or a bot writes is markup.

/** Return an element with properties, attributes (names with a hyphen, and role) and children (elements or strings). */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const ICONS = {
  chat: ["M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 3.8a.6.6 0 0 1-1-.5V16A2 2 0 0 1 4 14z", "M8 8h8M8 11.5h5"],
  close: ["M6 6l12 12M18 6L6 18"],
  down: ["M6 9l6 6 6-6"],
  send: ["M4 12l16-8-5.5 16-3-7z", "M11.5 13L20 4"],
  clip: ["M20 11.5l-7.8 7.8a5 5 0 0 1-7.1-7.1l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7l-8.4 8.5a1.7 1.7 0 0 1-2.4-2.4l7.4-7.3"],
  restart: ["M4.5 12a7.5 7.5 0 1 1 2.4 5.5", "M4 20v-4h4"],
  file: ["M7 3h7l5 5v11a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z", "M14 3v5h5"],
  clock: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v4.5l3 1.5"],
  stored: ["M5 12.5l4.5 4.5L19 7.5"],
  seen: ["M2.5 12.5L7 17l9.5-9.5", "M12 16l1.5 1.5L22.5 8"],
  failed: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v5M12 16v.2"],
};

/** Return a line drawing; with a label it is an image to screen readers, without one decoration. */
function icon(name, label = null) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  for (const shape of ICONS[name]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}

/** Return the text as nodes, its http and https addresses as links. */
function linkified(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"'\u0000-\u001f]+/gi)) {
    let address = match[0].replace(/[.,;:!?…\]}]+$/, "");
    while (/\)$/.test(address) && address.split(")").length > address.split("(").length) address = address.slice(0, -1);
    let url = null;
    try {
      url = new URL(address);
    } catch {
      continue;
    }
    nodes.push(text.slice(end, match.index));
    nodes.push(make("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    end = match.index + address.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** Draw an image file on a canvas of at most `width` × `height`; no address of it ever exists. Rejects what is no image. */
async function drawn(blob, width, height, label) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, width / bitmap.width, height / bitmap.height);
  const density = Math.min(2, 1 / scale);
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(bitmap.width * scale * density)),
    height: Math.max(1, Math.round(bitmap.height * scale * density)),
    role: "img",
    "aria-label": label,
  });
  canvas.style.width = `${Math.round(bitmap.width * scale)}px`;
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

function luminance([red, green, blue]) {
  const linear = (part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Return `#rrggbb` as three numbers; the fallback for anything else. */
function parseColour(text, fallback) {
  const match = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text || "");
  return match ? match.slice(1).map((part) => parseInt(part, 16)) : fallback;
}

/** Return the colour nearest to `colour` that can be read on `background` (contrast of 4.5, with a little to spare). */
function readable(colour, background) {
  const end = luminance(background) > 0.18 ? 0 : 255;
  for (let step = 0; step <= 20; step += 1) {
    const mixed = colour.map((part) => Math.round(part + ((end - part) * step) / 20));
    if (contrast(mixed, background) >= 4.7) return mixed;
  }
  return [end, end, end];
}

const css = (colour) => `rgb(${colour.join(",")})`;
