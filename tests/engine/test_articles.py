from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.article_finder import ArticleFinder
from bot.engine.components.article_index import build_shelf, read_shelves, write_shelves
from bot.engine.components.articles import MOST, ArticleError, Passage, fingerprint, read_articles

GIFTS = """---
link: https://shop.example/gifts
---
# Gifts

We *love* gifts.

## Do you wrap?

Yes, for [three pounds](https://shop.example/wrap).
In paper.

- red
- green

## How fast?

| service | days |
|---|---|
| normal | 3 |
"""
CARDS = "# Cards\n\n## Do gift cards expire?\n\nThey are valid for three years.\n"
BREWING = "# Brewing\n\n## How hot should water be?\n\nNinety-five degrees for coffee.\n"
MESSAGES = ["where is my parcel", "cancel my order please", "i want my money back", "hello there", "talk to a person"]


def folder(path: Path, **articles: str) -> Path:
    """Write articles by name."""
    path.mkdir(exist_ok=True)
    for name, content in articles.items():
        (path / f"{name}.md").write_text(content, "utf-8")
    return path


def finder(articles: Path, storage: Path) -> ArticleFinder:
    """Train a finder without an encoder, and load it anew from what it kept."""
    storage.mkdir()
    kept, context = LocalModelStorage(storage), ExecutionContext(GraphSchema({}), node_name="node")
    config = {"folder": str(articles), "encoder": "none", "strangers_answered_max": 0.05}
    messages = [Message.build(text, "other") for text in MESSAGES]
    ArticleFinder.create(config, kept, Resource("finder"), context).train(TrainingData(messages))
    return ArticleFinder.load(config, kept, Resource("finder"), context)


def test_markdown_becomes_plain_passages_by_heading(tmp_path: Path) -> None:
    """Links keep their target, lists and tables become lines, and what stands before a heading is the title's."""
    first, wrap, fast = read_articles(folder(tmp_path / "k", gifts=GIFTS))
    assert (first.title, first.heading, first.text) == ("Gifts", "Gifts", "We love gifts.")
    assert wrap.heading == "Do you wrap?"
    assert wrap.text == "Yes, for three pounds (https://shop.example/wrap). In paper.\n• red\n• green"
    assert fast.text == "• service, days\n• normal, 3"
    assert {passage.link for passage in (first, wrap, fast)} == {"https://shop.example/gifts"}


@given(words=st.lists(st.text(alphabet="abc", min_size=1, max_size=700), min_size=1, max_size=60))
@settings(max_examples=30)
def test_long_texts_are_cut_and_nothing_is_lost(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """However long a text is, its passages are short, and together they say all of it."""
    text = " ".join(words)
    passages = read_articles(folder(tmp_path_factory.mktemp("k"), one=f"# T\n\n{text}\n"))
    assert all(len(passage.text) <= MOST for passage in passages)
    assert "".join("".join(passage.text.split()) for passage in passages) == "".join(words)


@pytest.mark.parametrize(
    "files", [{"a": "no title\n"}, {"a": "# T\n\nx", "b": "# T\n\ny"}, {"a": "---\n- x\n---\n# T"}]
)
def test_what_cannot_be_read_is_named(files: dict[str, str], tmp_path: Path) -> None:
    """A trainer hears which file is wrong."""
    with pytest.raises(ArticleError, match=r"[ab]\.md"):
        read_articles(folder(tmp_path / "k", **files))


def test_training_refuses_a_broken_article(tmp_path: Path) -> None:
    """The training ends with the same words."""
    with pytest.raises(InvalidConfigException, match="without a title"):
        finder(folder(tmp_path / "k", a="text"), tmp_path / "s")


def test_what_an_article_says_is_found_and_nothing_else(tmp_path: Path) -> None:
    """A question is answered by its passage, with the source; a stranger's is not, and an intent's neither."""
    found = finder(folder(tmp_path / "k", gifts=GIFTS, cards=CARDS, brewing=BREWING), tmp_path / "s")
    asked, stranger, answered = (
        Message.build(text) for text in ("do your gift cards expire", "is it raining", "wrap?")
    )
    tapped = Message.build("how hot should water be")
    for sure in (answered, tapped):
        sure.set("decision", "answer")
        sure.set(INTENT, {"name": "other", "confidence": 0.99})
    found.process([asked, stranger, answered, tapped])
    assert asked.get(INTENT)["name"] == "knowledge"
    assert (asked.get("article")["title"], asked.get("article")["text"]) == ("Cards", "They are valid for three years.")
    assert asked.get(INTENT)["confidence"] > 0.95
    assert stranger.get(INTENT) is None
    assert stranger.get("article") is None
    assert answered.get(INTENT)["name"] == "other"
    assert tapped.get(INTENT)["name"] == "knowledge"


def test_without_articles_nothing_changes(tmp_path: Path) -> None:
    """A bot without the folder is the bot it was."""
    found = finder(tmp_path / "none", tmp_path / "s")
    message = Message.build("do gift cards expire?")
    found.process([message])
    assert message.get(INTENT) is None


def test_a_changed_article_makes_the_finder_stale(tmp_path: Path) -> None:
    """Training knows articles by their content: this component is trained again, no other."""
    articles = folder(tmp_path / "k", gifts=GIFTS)
    before = ArticleFinder.fingerprint_addon({"folder": str(articles)})
    assert before == fingerprint(articles)
    folder(articles, gifts=GIFTS.replace("three", "four"))
    assert ArticleFinder.fingerprint_addon({"folder": str(articles)}) != before


def test_a_shelf_is_the_same_after_it_was_kept(tmp_path: Path) -> None:
    """What is written and read again finds the same, in languages of their own."""
    passages = [Passage(title=str(n), heading=f"h {n}", text=f"text {n}", link="", language="de") for n in range(3)]
    shelf = build_shelf(passages, MESSAGES, None, 0.1)
    write_shelves({"de": shelf}, tmp_path)
    again = read_shelves(tmp_path)
    assert again["de"].find("text 2", None, 2) == shelf.find("text 2", None, 2)
