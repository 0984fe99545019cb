// Keeps the page fresh and gives it keys. Without it everything works by reloading.
"use strict";

const timeline = () => document.getElementById("timeline");

// On a phone the whole page scrolls instead of the conversation.
const scroller = (box) => (getComputedStyle(box).overflowY === "visible" ? document.documentElement : box);

function isNearEnd(box) {
  if (!box) return false;
  const pane = scroller(box);
  if (pane === box) return box.scrollHeight - box.scrollTop - box.clientHeight < 120;
  return document.getElementById("latest").getBoundingClientRect().top < innerHeight + 120;
}

function showEnd() {
  const box = timeline();
  if (!box) return;
  if (scroller(box) === box) box.scrollTop = box.scrollHeight;
  else document.getElementById("latest").scrollIntoView({ block: "end" });
}

function localTimes(root) {
  const hour = { hour: "2-digit", minute: "2-digit" };
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const day = at.toDateString() === today ? {} : { day: "numeric", month: "short" };
    if (!time.closest(".item")) time.textContent = new Intl.DateTimeFormat(undefined, { ...day, ...hour }).format(at);
    time.title = at.toLocaleString();
  }
}

// ---- following what happens

// What the server last said of each part: scripts change times and what is unfolded, so the page itself cannot tell.
// Each answer has keys of its own for its forms; they are no change.
const told = (part) => part.innerHTML.replace(/name="key" value="[^"]*"/g, "");
const shown = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part.id, told(part)]));

const typedIn = (part) => [...part.querySelectorAll("textarea")].filter((area) => area.value !== area.defaultValue);

function swap(fresh) {
  const box = timeline();
  const follow = isNearEnd(box);
  const pane = box && scroller(box);
  const scrolled = pane ? pane.scrollTop : 0;
  const count = box ? box.children.length : 0;
  const focused = document.activeElement && document.activeElement.getAttribute("href");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other && told(other) !== shown.get(part.id)) {
      const typed = typedIn(part).map((area) => [area.id, area.value]);
      const writing = part.contains(document.activeElement) && document.activeElement.id;
      const open = [...part.querySelectorAll("details")].map((details) => details.open);
      part.innerHTML = other.innerHTML;
      shown.set(part.id, told(other));
      [...part.querySelectorAll("details")].forEach((details, n) => { if (n in open) details.open = open[n]; });
      for (const [id, value] of typed) if (document.getElementById(id)) document.getElementById(id).value = value;
      if (writing && document.getElementById(writing)) document.getElementById(writing).focus();
      localTimes(part);
    }
  }
  const composer = document.getElementById("composer");
  const other = fresh.getElementById("composer");
  if (composer && other && composer.dataset.liveWhen !== other.dataset.liveWhen) {
    const typed = [...composer.querySelectorAll("textarea")].map((area) => [area.id, area.value]);
    composer.replaceWith(other);
    for (const [id, value] of typed) {
      const area = document.getElementById(id);
      if (area) area.value = value;
      else if (value) keepUnsent(other, value);
    }
  }
  document.title = fresh.title;
  document.body.dataset.change = fresh.body.dataset.change;
  if (focused) {
    const link = document.querySelector(`.queue a[href="${CSS.escape(focused)}"]`);
    if (link && document.activeElement === document.body) link.focus();
  }
  if (box) {
    [...box.children].slice(count).forEach((line) => line.classList.add("fresh"));
    if (follow) showEnd(); else pane.scrollTop = scrolled;
  }
}

function keepUnsent(composer, value) {
  const kept = document.createElement("pre");
  kept.className = "unsent";
  kept.textContent = value;
  composer.append(kept);
}

let isFetching = false;
let isStale = false;

async function refresh() {
  if (isFetching) { isStale = true; return; }
  isFetching = true;
  try {
    const answer = await fetch(location.pathname, { credentials: "same-origin" });
    if (answer.status === 401) { location.reload(); return; }
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The stream reconnects by itself and brings the next change.
  } finally {
    isFetching = false;
    if (isStale) { isStale = false; refresh(); }
  }
}

function follow() {
  const notice = document.getElementById("live");
  const stream = new EventSource("/desk/changes");
  stream.onopen = () => { notice.hidden = true; };
  stream.onmessage = (event) => { if (event.data !== document.body.dataset.change) refresh(); };
  stream.onerror = () => { notice.hidden = false; };
  addEventListener("pagehide", () => stream.close());
}

// ---- keys

const items = () => [...document.querySelectorAll(".queue .item")];

function step(by) {
  const list = items();
  if (!list.length) return;
  const at = list.findIndex((item) => item === document.activeElement);
  const from = at >= 0 ? at : list.findIndex((item) => item.hasAttribute("aria-current"));
  list[Math.min(list.length - 1, Math.max(0, from + by))].focus();
}

function compose(key) {
  const details = document.querySelector(`.composer details[data-key="${key}"]`);
  if (!details) return;
  details.open = true;
  details.querySelector("textarea:not([hidden]), select, button").focus();
}

function press(id) {
  const form = document.getElementById(id);
  if (form) form.requestSubmit();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  o: () => { const item = document.activeElement.closest(".item") || items()[0]; if (item) item.click(); },
  c: () => press("claim"),
  g: () => press("next"),
  z: () => press("undo"),
  m: () => compose("m"),
  r: () => compose("r"),
  n: () => compose("n"),
  e: () => compose("e"),
  u: () => { location.href = "/desk/"; },
  "?": () => { const legend = document.getElementById("legend"); legend.open = !legend.open; },
};

addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("textarea, input, select");
  if (event.key === "Escape") {
    document.getElementById("legend").open = false;
    if (isTyping) event.target.blur();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && isTyping && isTyping.form) {
    event.preventDefault();
    isTyping.form.requestSubmit();
  } else if (!isTyping && !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

// A form is sent once; the server would see a second click as the same act anyway.
addEventListener("submit", (event) => {
  if (event.target.dataset.isSent) event.preventDefault();
  event.target.dataset.isSent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.isSent;
});
addEventListener("toggle", (event) => {
  if (event.target.matches(".composer details") && event.target.open && event.isTrusted && document.hasFocus()) {
    const area = event.target.querySelector("textarea");
    if (area && document.activeElement && document.activeElement.tagName === "SUMMARY") area.focus();
  }
}, true);

// ---- what can be taken back for some seconds, and the bot's draft

const undo = document.getElementById("undo");
if (undo) setTimeout(() => undo.remove(), Math.max(0, undo.dataset.until * 1000 - Date.now()));

for (const edit of document.querySelectorAll("[data-edit]")) {
  edit.hidden = false;
  edit.addEventListener("click", () => {
    const reply = document.getElementById("reply");
    reply.value = edit.form.elements.text.value;
    reply.form.elements.suggestion.value = edit.form.elements.suggestion.value;
    reply.focus();
  });
}

localTimes(document);
showEnd();
follow();
