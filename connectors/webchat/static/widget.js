// The widget itself: the button on the page, the panel, and how the parts work together.

const script = document.currentScript;

class Widget {
  constructor(options, base) {
    this.options = options;
    this.title = options.title || "us";
    this.wire = new Wire(base, new Keep(`tandem ${base} `));
    this.keep = this.wire.keep;
    this.isOpen = false;
    this.view = new View(this.title, {
      choose: (choice) => this.send({ text: choice.title, choice: choice.payload, attachments: [] }),
      retry: (id) => this.retry(id),
      discard: (id) => { this.outbox.remove(id); this.view.remove(id); },
      fetchFile: (file) => this.fetchFile(file),
    });
    this.view.suggestions = (options.suggestions || "").split("|").filter((title) => title.trim()).map((title) => ({ title: title.trim() }));
    this.composer = new Composer({
      send: (message) => this.send(message),
      upload: (file, progress) => this.wire.upload(file, progress),
      draft: (text) => remember("tandem draft", text),
    });
    this.outbox = new Outbox(this.wire, this.keep, {
      stored: (id) => { this.patch(id, { isStored: true }); this.say(""); this.stream.start(); },
      waiting: (error) => this.complain(error),
      refused: (id, reason) => this.patch(id, { failed: reason }),
    });
    this.stream = new Stream(this.wire, {
      entry: (entry) => this.take(entry),
      typing: () => this.view.setTyping(true),
      up: () => { this.say(""); this.outbox.flush(); },
      down: () => this.complain({ status: 0 }),
    });
    this.wire.onForgotten = () => this.fresh();
    this.build();
    this.listen();
  }

  build() {
    const tool = (name, label, act) =>
      make("button", { type: "button", className: "tool", title: label, "aria-label": label, onclick: act }, icon(name));
    this.subtitle = make("p", { className: "subtitle" }, WORDS.subtitleBot);
    this.status = make("p", { className: "status", role: "status" });
    this.count = make("span", { className: "count", hidden: true, "aria-hidden": "true" });
    this.launcher = make("button", { type: "button", className: "launcher", "aria-haspopup": "dialog",
      onclick: () => this.toggle(!this.isOpen) }, icon("chat"), icon("down"), this.count);
    this.question = make("div", { className: "question", hidden: true, role: "group", "aria-label": WORDS.restart },
      make("p", {}, WORDS.restartQuestion),
      make("button", { type: "button", className: "choice", onclick: () => this.restart() }, WORDS.restartYes),
      make("button", { type: "button", className: "choice", onclick: () => this.ask(false) }, WORDS.restartNo));
    const privacy = /^https?:\/\//.test(this.options.privacy || "")
      ? make("a", { className: "privacy", href: this.options.privacy, target: "_blank", rel: "noopener" }, WORDS.privacy) : null;
    this.restartButton = tool("restart", WORDS.restart, () => this.ask(true));
    this.panel = make("section", { className: "panel", id: "panel", role: "dialog", hidden: true, "aria-label": WORDS.dialog(this.title) },
      make("header", {},
        make("span", { className: "avatar", "aria-hidden": "true" }, [...this.title][0].toUpperCase()),
        make("div", { className: "titles" }, make("h2", {}, this.title), this.subtitle),
        this.restartButton, tool("close", WORDS.close, () => this.toggle(false))),
      this.view.element, this.status, this.question, this.composer.element, privacy,
      make("p", { className: "drop", "aria-hidden": "true" }, WORDS.dropHere));
    const isLeft = this.options.position === "left";
    this.root = make("div", { className: `root ${isLeft ? "left" : "right"}` }, this.panel, this.launcher);
    this.host = make("div", { id: "tandem-chat" });
    this.shadow = this.host.attachShadow({ mode: "open" });
    dress(this.shadow);
    this.shadow.append(this.root);
    this.theme();
    this.badge();
  }

  /** Colour everything from the site's accent so that each text can be read, by day and by night. */
  theme() {
    const wish = this.options.theme;
    const isDark = wish === "dark" || (wish !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    const accent = parseColour(this.options.accent, [31, 92, 76]);
    this.root.classList.toggle("dark", isDark);
    this.root.style.setProperty("--accent", css(accent));
    this.root.style.setProperty("--on-accent", css(contrast(accent, [255, 255, 255]) >= 4.5 ? [255, 255, 255] : readable(accent, accent)));
    this.root.style.setProperty("--ink", css(readable(accent, isDark ? [43, 41, 39] : [244, 242, 238])));
  }

  listen() {
    this.panel.addEventListener("keydown", (event) => this.key(event));
    this.panel.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      this.panel.classList.add("dropping");
    });
    this.panel.addEventListener("dragleave", (event) => {
      if (!this.panel.contains(event.relatedTarget)) this.panel.classList.remove("dropping");
    });
    this.panel.addEventListener("drop", (event) => {
      event.preventDefault();
      this.panel.classList.remove("dropping");
      this.composer.add(event.dataTransfer.files);
    });
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("[data-tandem-open]")) this.toggle(true);
    });
    document.addEventListener("visibilitychange", () => this.visibility());
    addEventListener("pagehide", () => this.stream.stop());
    addEventListener("pageshow", (event) => event.persisted && this.resume());
    addEventListener("online", () => this.resume());
    addEventListener("offline", () => this.complain({ status: 0 }));
    addEventListener("storage", (event) => this.heard(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.theme());
    window.visualViewport?.addEventListener("resize", () => {
      this.root.style.setProperty("--height", `${visualViewport.height}px`); // the keyboard of a phone is up
    });
  }

  /** Show what there is, and go on where the last page stopped. */
  async start() {
    this.greet();
    this.pending();
    this.composer.setText(recall("tandem draft") || "");
    if (recall("tandem open") === "yes" && !isNarrow()) this.toggle(true, false);
    if (!this.wire.token) {
      this.outbox.flush();
      this.follow();
      return;
    }
    await this.load();
    this.resume();
    this.follow();
  }

  greet() {
    if (!this.options.greeting) return;
    this.view.put({ id: "greeting", author: "bot", author_name: null, text: this.options.greeting, sequence: 0.5, at: new Date().toISOString() });
  }

  async load() {
    try {
      const { events, cursor } = await (await this.wire.call("history")).json();
      this.view.log.setAttribute("aria-live", "off");
      if (events.length) this.patch("greeting", { at: events[0].at });
      events.forEach((entry) => this.take(entry));
      this.stream.cursor = cursor;
      setTimeout(() => this.view.log.setAttribute("aria-live", "polite"), 500);
    } catch (error) {
      this.complain(error); // the stream brings everything from the start
    }
  }

  resume() {
    if (this.wire.token && document.visibilityState === "visible") this.stream.start();
    this.outbox.flush();
  }

  visibility() {
    clearTimeout(this.rest);
    if (document.visibilityState === "hidden") {
      this.rest = setTimeout(() => this.stream.stop(), 30_000);
      return;
    }
    this.resume();
    this.read();
  }

  /** Take one entry of the feed. */
  take(entry) {
    if (entry.type === "edited" || entry.type === "removed") this.view.amend(entry.of, entry.text ?? null);
    if (entry.type !== "message") return;
    const isOwn = entry.author === "customer";
    this.view.put(isOwn ? { ...entry, isStored: !this.outbox.has(entry.id) } : entry);
    if (entry.author === "agent") this.subtitle.textContent = WORDS.subtitleAgent(entry.author_name || this.title);
    if (entry.author === "bot") this.subtitle.textContent = WORDS.subtitleBot;
    this.read();
  }

  patch(id, change) {
    const known = this.view.items.get(id);
    if (known) this.view.put({ ...known, ...change });
  }

  /** Somebody followed an invitation from a public thread: say so once, however often the page is loaded. */
  follow() {
    const invitation = new URLSearchParams(location.search).get("invitation") || "";
    if (!/^join-[a-z0-9]{10}$/i.test(invitation) || this.keep.get("invitation") === invitation) return;
    this.keep.set("invitation", invitation);
    this.toggle(true);
    this.send({ text: WORDS.invited, attachments: [], invitation });
  }

  send({ text, choice, attachments, invitation }) {
    const message = { id: randomId(), text, choice, attachments: attachments.map((file) => file.file), files: attachments,
      at: new Date().toISOString(), visitorName: this.options.name || undefined, invitation };
    this.view.put(ownMessage(message));
    this.outbox.add(message);
    this.wire.session().then(() => this.stream.start(), () => {});
    this.composer.text.focus();
  }

  retry(id) {
    this.patch(id, { failed: undefined });
    this.outbox.retry(id);
  }

  async fetchFile(file) {
    return (await this.wire.call(`files/${encodeURIComponent(file.file)}`)).blob();
  }

  /** Everything up to here has been read if it can be seen; agents learn it. */
  read() {
    const theirs = [...this.view.items.values()].filter((item) => item.sequence >= 1 && item.author !== "customer");
    const mark = Number(this.keep.get("read")) || 0;
    const news = theirs.filter((item) => item.sequence > mark);
    if (this.isOpen && document.visibilityState === "visible" && news.length) {
      this.keep.set("read", String(Math.max(...news.map((item) => item.sequence))));
      const of = news.filter((item) => item.author === "agent").map((item) => item.id).slice(-50);
      const body = JSON.stringify({ type: "read", of });
      if (of.length) this.wire.call("messages", { method: "POST", body }).catch(() => {});
    }
    this.badge();
  }

  badge() {
    const mark = Number(this.keep.get("read")) || 0;
    const count = [...this.view.items.values()].filter((item) => item.author !== "customer" && item.sequence > Math.max(mark, 0.9)).length;
    this.count.hidden = !count || this.isOpen;
    this.count.textContent = count > 9 ? "9+" : String(count);
    const label = this.isOpen ? WORDS.close : WORDS.open;
    this.launcher.setAttribute("aria-label", count && !this.isOpen ? `${label}, ${WORDS.unread(count)}` : label);
    this.launcher.setAttribute("aria-expanded", String(this.isOpen));
  }

  toggle(isOpen, withFocus = true) {
    this.isOpen = isOpen;
    this.panel.hidden = !isOpen;
    this.root.classList.toggle("open", isOpen);
    this.panel.setAttribute("aria-modal", String(isOpen && isNarrow()));
    document.documentElement.style.overflow = isOpen && isNarrow() ? "hidden" : "";
    remember("tandem open", isOpen ? "yes" : "no");
    if (isOpen) {
      this.composer.refresh();
      this.view.toEnd();
    }
    if (withFocus) (isOpen ? this.composer.text : this.launcher).focus();
    this.read();
  }

  /** Escape closes what is open; on a phone, where the panel covers the page, Tab stays inside. */
  key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.question.hidden) this.toggle(false);
      else this.ask(false);
    }
    if (event.key !== "Tab" || !isNarrow()) return;
    const stops = [...this.panel.querySelectorAll("button, a[href], textarea, [tabindex='0']")].filter((stop) => !stop.disabled && stop.offsetParent);
    const [edge, other] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (this.shadow.activeElement !== edge) return;
    event.preventDefault();
    other.focus();
  }

  ask(isAsked) {
    this.question.hidden = !isAsked;
    (isAsked ? this.question.querySelector("button") : this.restartButton).focus();
  }

  /** Forget this chat on this device; the next message starts another. */
  restart() {
    this.stream.stop();
    this.outbox.clear();
    this.keep.remove("token");
    this.fresh();
    this.composer.text.focus();
  }

  /** Show an empty chat, with what still waits to be sent. */
  fresh() {
    this.stream.stop();
    this.stream.cursor = 0;
    if (!this.wire.token) this.keep.remove("read");
    this.view.clear();
    this.question.hidden = true;
    this.subtitle.textContent = WORDS.subtitleBot;
    this.say("");
    this.greet();
    this.pending();
    this.badge();
  }

  pending() {
    for (const item of this.outbox.items()) this.view.put(ownMessage(item));
  }

  /** Another page of this site did something. */
  heard({ key, newValue }) {
    if (key === `${this.keep.prefix}read`) this.badge();
    const waiting = `${this.keep.prefix}out `;
    if (key?.startsWith(waiting) && newValue === null) this.patch(key.split(" ").at(-1), { isStored: true });
    if (key !== `${this.keep.prefix}token`) return;
    this.fresh();
    if (newValue) this.load().then(() => this.resume());
  }

  complain(error) {
    clearTimeout(this.notice);
    const words = navigator.onLine === false ? WORDS.offline : error.status >= 500 ? WORDS.unavailable : WORDS.reconnecting;
    this.notice = setTimeout(() => { this.status.textContent = words; }, navigator.onLine === false ? 0 : 1500);
  }

  say(text) {
    clearTimeout(this.notice);
    this.status.textContent = text;
  }
}

/** Return a message of the outbox as the view shows it. */
function ownMessage({ id, text, files, at, failed }) {
  return { id, author: "customer", author_name: null, text, attachments: files, at, failed };
}

const isNarrow = () => matchMedia("(max-width: 480px), (max-height: 460px)").matches;

/** Per tab: what stays when the visitor goes to another page of the site. */
function remember(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    return;
  }
}

function recall(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Add the style in a way that a strict content security policy allows. */
function dress(shadow) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
  } catch {
    shadow.append(make("style", {}, STYLE));
  }
}

function begin() {
  if (document.getElementById("tandem-chat")) return;
  const widget = new Widget({ ...script.dataset }, new URL("./", script.src).href);
  document.body.append(widget.host);
  widget.start();
}

if (document.body) begin();
else document.addEventListener("DOMContentLoaded", begin);
