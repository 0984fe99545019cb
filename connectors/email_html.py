"""The words of an HTML mail as plain text, with what is quoted or signed marked: linear, whatever the page is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree, html

#: Stands alone on a line where a quotation or a signature was, and where all that follows is older.
QUOTED, OLDER = "\ue0b0", "\ue0b1"
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
    """Return the words of a page; `QUOTED` and `OLDER` on lines of their own say what of it is not new."""
    # What no page may hold makes the parser refuse the whole.
    page = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff\ue0b0\ue0b1]", "", page[:_PAGE_MAX])
    if not page.strip():
        return ""
    try:
        parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
        tree = html.document_fromstring(page.encode(), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return _untagged(page)
    lines = "".join(_pieces(tree)).split("\n")
    text = "\n".join(re.sub(" {2,}", " ", each).strip() for each in lines)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    # The parser leaves out what is nested beyond all reason.
    return text or (_untagged(page) if page.count("<") > _DEPTH_MAX else "")


def _untagged(page: str) -> str:
    return _SPACE.sub(" ", re.sub(r"<[^<>]*>", " ", page)).strip()


def _pieces(tree: html.HtmlElement) -> Iterator[str]:
    """Yield the page's words and line ends in their order."""
    walk = etree.iterwalk(tree, events=("start", "end"))
    skipped: html.HtmlElement | None = None
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            stands_for = _stands_for(element, tag)
            if stands_for is not None:
                yield stands_for
                walk.skip_subtree()
                skipped = element
                continue
            yield _opening(tag)
            yield _SPACE.sub(" ", element.text or "") if tag != "pre" else element.text or ""
        else:
            if element is not skipped:
                yield _closing(tag)
            yield _SPACE.sub(" ", element.tail or "")


def _stands_for(element: html.HtmlElement, tag: str) -> str | None:
    """Return what is written instead of an element that nobody is to read here; none for all others."""
    if tag in _UNSEEN or _HIDDEN.search(element.get("style", "")) or "hidden" in element.attrib:
        return ""
    own_id = element.get("id", "")
    if own_id in _OLDER_IDS:
        return f"\n{OLDER}\n"
    is_quoted = (
        (tag == "blockquote" and element.get("type", "").lower() == "cite")
        or own_id in _QUOTE_IDS
        or _QUOTES.search(element.get("class", ""))
        or element.get("data-smartmail") == "gmail_signature"
    )
    return f"\n{QUOTED}\n" if is_quoted else None


def _opening(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    return "\n- " if tag == "li" else "\n" if tag in _LINES else ""


def _closing(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    return "\n" if tag in _LINES and tag != "br" else " " if tag in {"td", "th"} else ""
