"""The words of an HTML mail as plain text, quoted as plain mails are: linear, whatever the page is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree, html

#: Where a quotation or a signature begins and ends, until lines are known.
_BEGIN, _END = "\ue0b0", "\ue0b1"
#: Stands above an older mail, as in plain mails of Outlook's.
_OLDER = "-----Original Message-----"
_UNSEEN = frozenset({"head", "script", "style", "title", "noscript", "template", "svg", "object", "iframe", "select"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre", "hr"})
_LINES = frozenset({"div", "tr", "br", "section", "article", "header", "footer", "dl", "dt", "dd", "address", "center"})
#: What mail programs write around the mail that is answered, and around signatures.
_QUOTES = re.compile(
    r"gmail_quote|gmail_signature|gmail_attr|yahoo_quoted|moz-cite-prefix|moz-signature|protonmail_quote"
    r"|protonmail_signature|tutanota_quote|zmail_extra|ms-outlook-mobile-signature|apple-signature"
)
_QUOTE_IDS = frozenset(
    {"Signature", "OLK_SRC_BODY_SECTION", "ms-outlook-mobile-signature", "mail-editor-reference-message-container"}
)
#: Outlook writes the mail that is answered behind these.
_OLDER_IDS = frozenset({"divRplyFwdMsg", "appendonsend", "x_divRplyFwdMsg", "x_appendonsend"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0", re.IGNORECASE)
_SPACE = re.compile(r"[\s\u00a0\u200b\u200c\u2060]+")
_PAGE_MAX = 1_000_000
_DEPTH_MAX = 2_000


def text_of(page: str) -> str:
    """Return the words of a page; ">" before a line says that it is quoted, or part of a signature."""
    # What no page may hold makes the parser refuse the whole.
    page = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff\ue0b0\ue0b1]", "", page[:_PAGE_MAX])
    if not page.strip():
        return ""
    try:
        parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
        tree = html.document_fromstring(page.encode(), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return _untagged(page)
    text = "\n".join(_lines("".join(_pieces(tree))))
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    # The parser leaves out what is nested beyond all reason.
    return text or (_untagged(page) if page.count("<") > _DEPTH_MAX else "")


def _lines(text: str) -> Iterator[str]:
    """Yield the lines, with ">" before those between `_BEGIN` and `_END`, and no more than one empty line at once."""
    depth, was_empty = 0, False
    for each in text.split("\n"):
        depth += each.count(_BEGIN)
        shown = re.sub(" {2,}", " ", each.replace(_BEGIN, "").replace(_END, "")).strip()
        if shown or not was_empty:
            yield f"{'>' * min(depth, 5)} {shown}".strip() if depth else shown
        was_empty = not shown
        depth = max(0, depth - each.count(_END))


def _untagged(page: str) -> str:
    return _SPACE.sub(" ", re.sub(r"<[^<>]*>", " ", page)).strip()


def _pieces(tree: html.HtmlElement) -> Iterator[str]:
    """Yield the page's words and line ends in their order."""
    walk = etree.iterwalk(tree, events=("start", "end"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if _is_unseen(element, tag):
                walk.skip_subtree()
                continue
            if element.get("id", "") in _OLDER_IDS:
                yield f"\n{_OLDER}\n"
            yield f"\n{_BEGIN}" if _is_quoted(element, tag) else _opening(tag)
            yield element.text or "" if tag == "pre" else _SPACE.sub(" ", element.text or "")
        else:
            if not _is_unseen(element, tag):
                yield f"{_END}\n" if _is_quoted(element, tag) else _closing(tag)
            yield _SPACE.sub(" ", element.tail or "")


def _is_unseen(element: html.HtmlElement, tag: str) -> bool:
    """Whether nobody sees an element who reads the mail."""
    return tag in _UNSEEN or "hidden" in element.attrib or _HIDDEN.search(element.get("style", "")) is not None


def _is_quoted(element: html.HtmlElement, tag: str) -> bool:
    """Whether an element holds the mail that is answered, or a signature."""
    return (
        (tag == "blockquote" and element.get("type", "").lower() == "cite")
        or element.get("id", "") in _QUOTE_IDS
        or element.get("data-smartmail") == "gmail_signature"
        or _QUOTES.search(element.get("class", "")) is not None
    )


def _opening(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    return "\n- " if tag == "li" else "\n" if tag in _LINES else ""


def _closing(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    return "\n" if tag in _LINES and tag != "br" else " " if tag in {"td", "th"} else ""
