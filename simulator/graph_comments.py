"""Meta with its public side: comments, mentions and private replies."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.graph import OUTSIDE, WEEK, FakeGraph, Json, RefusedError


@dataclass(kw_only=True)
class Comment:
    """What somebody wrote where everybody reads it."""

    id: str
    #: a customer's id; ours: the account's
    author: str
    text: str
    #: the comment or post it answers
    answers: str
    written_at: float
    is_answered_privately: bool = False


@dataclass(kw_only=True)
class PublicGraph(FakeGraph):
    """One app whose accounts are written to in public too."""

    #: what stands there: comments by id, theirs and ours
    comments: dict[str, Comment] = field(default_factory=dict)

    def comment(self, author: str, text: str, answers: str = "post") -> Comment:
        """Let somebody write in public."""
        made = Comment(id=self.new_id(), author=author, text=text, answers=answers, written_at=self.clock())
        self.comments[made.id] = made
        return made

    def call(self, method: str, path: str, parameters: Json, bearer: str) -> Json:
        """Return the answer to a call; raises `RefusedError`."""
        node, _, edge = path.partition("/")
        fields = str(parameters.get("fields", ""))
        is_public = node in self.comments or edge == "mentions" or fields.startswith("mentioned_")
        if bearer == self.token and is_public:
            self.calls.append((method, path, parameters))
            if fields.startswith("mentioned_"):
                return self._mentioned(fields)
            if edge == "mentions":
                return self._answer(node, str(parameters.get("comment_id") or parameters["media_id"]), parameters)
            return self._comment(method, self.comments[node], edge, parameters)
        recipient = parameters.get("recipient")
        if bearer == self.token and isinstance(recipient, dict) and "comment_id" in recipient:
            person = self._privately(str(recipient["comment_id"]))
            return super().call(method, path, parameters | {"recipient": {"id": person}}, bearer)
        return super().call(method, path, parameters, bearer)

    def _comment(self, method: str, comment: Comment, edge: str, parameters: Json) -> Json:
        if edge in {"comments", "replies"} and method == "POST":
            return self._answer(self.page_id if edge == "comments" else self.instagram_id, comment.id, parameters)
        if comment.author not in {self.page_id, self.instagram_id} or edge or method not in {"POST", "DELETE"}:
            raise RefusedError(200, "Permissions error", status=403)
        if method == "DELETE":
            del self.comments[comment.id]
        else:
            comment.text = str(parameters["message"])
        return {"success": True}

    def _answer(self, node: str, answered: str, parameters: Json) -> Json:
        text = str(parameters.get("message", ""))
        if not text.strip():
            raise RefusedError(100, "Param message must be non-empty.")
        return {"id": self.comment(node, text, answered).id}

    def _privately(self, comment_id: str) -> str:
        """Return whom a private reply goes to: one for each comment, within a week of it."""
        comment = self.comments.get(comment_id)
        if comment is None:
            raise RefusedError(100, "Unsupported request - the object does not exist", 33)
        if comment.is_answered_privately:
            raise RefusedError(10900, "Activity already replied to")
        if self.clock() - comment.written_at > WEEK:
            raise RefusedError(10, OUTSIDE, 2018278)
        comment.is_answered_privately = True
        return self.person(comment.author).id

    def _mentioned(self, fields: str) -> Json:
        kind, _, rest = fields.partition(".")
        found = self.comments.get(rest.partition("(")[2].partition(")")[0])
        if found is None:
            raise RefusedError(100, "Invalid parameter")
        words = {"text" if kind == "mentioned_comment" else "caption": found.text}
        return {kind: words | {"id": found.id, "username": found.author}, "id": self.instagram_id}
