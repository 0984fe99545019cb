// What was said, on the screen. The order is the feed's; messages still on their way stand at the end.

const RASTER = /^image\/(png|jpeg|gif|webp)$/;
const SAME_GROUP = 5 * 60 * 1000;

class View {
  /** `on`: choose(choice), retry(id), discard(id), fetchFile(file) -> Blob. */
  constructor(title, on) {
    this.title = title;
    this.on = on;
    this.items = new Map();
    this.seenUpTo = 0;
    this.suggestions = [];
    this.typingTimer = 0;
    this.log = make("div", { className: "log", role: "log", "aria-live": "polite", "aria-label": WORDS.log });
    this.dots = make("div", { className: "typing", hidden: true, "aria-hidden": "true" },
      make("span", { className: "dot" }), make("span", { className: "dot" }), make("span", { className: "dot" }));
    this.typingLabel = make("p", { className: "unseen", role: "status" });
    this.choices = make("div", { className: "choices", role: "group", "aria-label": WORDS.suggestions, hidden: true });
    this.scroller = make("div", { className: "scroller", tabIndex: 0, role: "region", "aria-label": WORDS.log },
      this.log, this.dots, this.choices);
    this.newer = make("button", { type: "button", className: "newer", hidden: true, onclick: () => this.toEnd() },
      WORDS.newer, icon("down"));
    this.element = make("div", { className: "body" }, this.scroller, this.newer, this.typingLabel);
    this.isPinned = true;
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.isPinned && this.toEnd()).observe(this.scroller);
  }

  /** Show a message, or what has become of one that is shown already. */
  put(message) {
    const known = this.items.get(message.id);
    if (known?.sequence && !message.sequence) return;
    const wasAtEnd = this.isAtEnd();
    const item = { ...known, ...message, node: known?.node ?? this.build(message) };
    this.items.set(item.id, item);
    const isTheirs = item.author !== "customer";
    if (!known || (item.sequence && item.sequence !== known.sequence)) this.place(item);
    if (isTheirs && !known) this.setTyping(false);
    this.arrange();
    if (!isTheirs && !known) this.toEnd();
    else if (wasAtEnd) this.toEnd();
    else if (!known) this.newer.hidden = false;
  }

  /** Show that a message now says something else; null: that it was taken back. */
  amend(id, text) {
    const item = this.items.get(id);
    if (!item) return;
    const isGone = text === null;
    item.node.classList.toggle("gone", isGone);
    item.node.classList.toggle("edited", !isGone);
    item.node.querySelectorAll(".bubble, .file").forEach((part) => part.remove());
    const bubble = make("div", { className: "bubble", dir: "auto" }, ...(isGone ? [WORDS.takenBack] : linkified(text)));
    item.node.querySelector(".who").after(bubble);
    Object.assign(item, { text: text ?? "", choices: isGone ? [] : item.choices, mark: isGone ? "" : WORDS.edited });
    this.arrange();
  }

  remove(id) {
    this.items.get(id)?.node.remove();
    this.items.delete(id);
    this.arrange();
  }

  clear() {
    for (const { node } of this.items.values()) node.remove();
    this.items.clear();
    this.seenUpTo = 0;
    this.setTyping(false);
    this.arrange();
  }

  ordered() {
    return [...this.items.values()].sort((a, b) => (a.sequence || Infinity) - (b.sequence || Infinity) || 0);
  }

  /** Put the node where the feed's order wants it, and leave it alone when it is there. */
  place(item) {
    const next = this.ordered().find((other) => other !== item && (other.sequence || Infinity) > (item.sequence || Infinity));
    const before = next?.node ?? null;
    if (item.node.parentNode !== this.log || item.node.nextSibling !== before) this.log.insertBefore(item.node, before);
  }

  build(message) {
    const bubble = make("div", { className: "bubble", dir: "auto" }, ...linkified(message.text));
    return make("div", { className: `message ${message.author}` },
      make("p", { className: "day", hidden: true }),
      make("p", { className: "who" }, ...this.who(message)),
      message.text ? bubble : null,
      ...(message.attachments ?? []).map((file) => this.file(file)),
      make("p", { className: "meta" }));
  }

  who({ author, author_name: name }) {
    if (author === "customer") return [make("span", { className: "unseen" }, WORDS.you)];
    if (author === "agent") {
      const initial = make("span", { className: "initial", "aria-hidden": "true" }, [...(name || this.title)][0]);
      return [initial, name ? WORDS.agent(name, this.title) : this.title];
    }
    if (author === "bot") return [WORDS.assistant(this.title), make("span", { className: "badge" }, WORDS.isBot)];
    return [make("span", { className: "unseen" }, this.title)];
  }

  /** Days, groups, ticks and choices follow from the order of what is shown. */
  arrange() {
    const items = this.ordered();
    const lastAnswer = items.findLastIndex((item) => item.author === "bot" || item.author === "agent");
    let before = null;
    items.forEach((item, n) => {
      const at = new Date(item.at);
      const isNewDay = !before || new Date(before.at).toDateString() !== at.toDateString();
      const isSame = !isNewDay && before.author === item.author && before.author_name === item.author_name;
      item.node.classList.toggle("follows", isSame && at - new Date(before.at) < SAME_GROUP);
      const [day, meta] = [item.node.querySelector(".day"), item.node.querySelector(".meta")];
      day.hidden = !isNewDay;
      if (isNewDay) day.textContent = dayName(at);
      const next = items[n + 1];
      item.node.classList.toggle("last", !next || next.author !== item.author);
      this.state(item, meta, at, n < lastAnswer || (item.sequence && item.sequence <= this.seenUpTo));
      before = item;
    });
    this.offer(items);
  }

  state(item, meta, at, isSeen) {
    const tick = item.author !== "customer" ? "" : item.failed ? "failed" : !item.isStored ? "clock" : isSeen ? "seen" : "stored";
    const shown = `${tick}${item.failed ?? ""}${+at}${item.mark ?? ""}`;
    if (item.node.dataset.state === shown) return;
    item.node.dataset.state = shown;
    item.node.classList.toggle("failed", tick === "failed");
    const time = make("time", { dateTime: at.toISOString() }, at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }));
    if (tick !== "failed") {
      const label = { clock: WORDS.sending, stored: WORDS.stored, seen: WORDS.seen }[tick];
      const mark = item.mark ? [make("span", { className: "mark" }, item.mark), " "] : [];
      meta.replaceChildren(...mark, time, ...(tick ? [icon(tick, label)] : []));
      return;
    }
    meta.replaceChildren(
      icon("failed"), `${WORDS.notSent} ${item.failed} `,
      make("button", { type: "button", className: "link", onclick: () => this.on.retry(item.id) }, WORDS.retry), " · ",
      make("button", { type: "button", className: "link", onclick: () => this.on.discard(item.id) }, WORDS.discard));
  }

  /** Offer the choices of the last answer until the visitor says something. */
  offer(items) {
    const lastOwn = items.findLastIndex((item) => item.author === "customer");
    const offered = items.slice(lastOwn + 1).findLast((item) => item.choices?.length);
    const choices = offered?.choices ?? (lastOwn < 0 ? this.suggestions : []);
    const key = choices.map((choice) => `${choice.payload ?? ""} ${choice.title}`).join("\n");
    if (this.offeredKey === key) return;
    this.offeredKey = key;
    this.choices.hidden = !choices.length;
    this.choices.replaceChildren(...choices.map((choice) =>
      make("button", { type: "button", className: "choice", dir: "auto", onclick: () => this.on.choose(choice) }, choice.title)));
  }

  file(file) {
    const size = file.size ? ` · ${formatSize(file.size)}` : "";
    const name = file.name || file.kind;
    const button = make("button", { type: "button", className: "file", "aria-label": WORDS.download(name) },
      icon("file"), make("span", { className: "name", dir: "auto" }, name), make("span", { className: "size" }, size));
    button.onclick = () => this.save(file, button);
    if (RASTER.test(file.media_type)) this.show(file, button);
    return button;
  }

  /** Put a picture in place of the file's name once it has come. */
  async show(file, button) {
    try {
      const canvas = await drawn(await this.on.fetchFile(file), 240, 240, file.name || file.kind);
      const wasAtEnd = this.isAtEnd();
      button.replaceChildren(canvas);
      button.classList.add("picture");
      if (wasAtEnd) this.toEnd();
    } catch {
      return; // its name stays
    }
  }

  async save(file, button) {
    try {
      const blob = new Blob([await this.on.fetchFile(file)], { type: "application/octet-stream" });
      const url = URL.createObjectURL(blob);
      make("a", { href: url, download: file.name || "file" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch {
      button.disabled = true;
      button.querySelector(".size")?.replaceChildren(` · ${WORDS.fileGone}`);
    }
  }

  /** Show the dots for some seconds, and that everything said so far is being answered. */
  setTyping(isTyping) {
    clearTimeout(this.typingTimer);
    const wasAtEnd = this.isAtEnd();
    this.dots.hidden = !isTyping;
    this.typingLabel.textContent = isTyping ? WORDS.typing : "";
    if (!isTyping) return;
    this.typingTimer = setTimeout(() => this.setTyping(false), 8000);
    this.seenUpTo = Math.max(0, ...[...this.items.values()].map((item) => item.sequence || 0));
    this.arrange();
    if (wasAtEnd) this.toEnd();
  }

  scrolled() {
    this.isPinned = this.isAtEnd();
    if (this.isPinned) this.newer.hidden = true;
  }

  isAtEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 60;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.newer.hidden = true;
    this.isPinned = true;
  }
}

function dayName(at) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return WORDS.today;
  if (days === 1) return WORDS.yesterday;
  return at.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

function formatSize(bytes) {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
