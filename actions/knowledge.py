"""Answers from the articles that the brand wrote, with their source."""

from __future__ import annotations

from actions.base import Button, Result, Say, TandemAction
from actions.context import Article, TurnContext


class Knowledge(TandemAction):
    """Says the passage that understanding found, and offers what else comes near."""

    async def answer(self, context: TurnContext) -> Result:
        """Say it; without one there is nothing to say."""
        return cited(context.article) if context.article is not None else Result()


def cited(article: Article) -> Result:
    """Return a passage with the name of its article, and with its link where it has one."""
    fields = {"passage": article.text, "title": article.title}
    buttons = tuple(Button(title=heading, words=heading) for heading in article.others)
    if not article.link:
        return Result(says=(Say(response="say_article_unlinked", fields=fields, buttons=buttons),))
    return Result(says=(Say(response="say_article", fields={**fields, "link": article.link}, buttons=buttons),))
