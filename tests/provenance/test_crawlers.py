"""The crawlers that a robots.txt may turn away: what each is for, and how far that was checked."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from provenance.rights.errors import CatalogueError
from provenance.rights.optouts import Snapshot, read
from provenance.rights.optouts.robots import CONFIRMED, Crawler, crawlers

UNCONFIRMED = {one.agent for one in crawlers() if one.confirmed == "no"}


def note_of(*agents: str) -> str:
    text = "".join(f"User-agent: {agent}\n" for agent in agents) + "Disallow: /\n"
    (finding,) = read(Snapshot(text.encode(), url="https://label.example/robots.txt")).findings
    return finding.note


class TestCrawlers:
    @pytest.mark.parametrize("one", crawlers(), ids=lambda one: one.agent)
    def test_say_where_their_operator_does_or_what_was_found_instead(self, one: Crawler) -> None:
        assert one.confirmed in CONFIRMED
        if one.confirmed == "no":
            assert one.note
        else:
            assert urlsplit(one.source).scheme == "https"

    def test_stand_there_once(self) -> None:
        names = [one.agent.lower() for one in crawlers()]
        assert len(names) == len(set(names))

    def test_pretend_nothing_of_those_that_no_operator_documents(self) -> None:
        assert {"anthropic-ai", "Bytespider", "cohere-ai", "SpawningAI"} <= UNCONFIRMED
        assert UNCONFIRMED.isdisjoint({"GPTBot", "ClaudeBot", "Amazonbot", "Google-Extended"})

    def test_reserve_all_the_same_and_say_which_are_unconfirmed(self) -> None:
        assert note_of("GPTBot") == "GPTBot turned away from /"
        assert note_of("GPTBot", "Bytespider") == (
            "GPTBot, Bytespider (what for is unconfirmed) turned away from /"
        )

    def test_are_refused_without_a_word_on_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said = [{"agent": "x", "operator": "y", "use": "training", "source": "", "confirmed": "maybe"}]
        monkeypatch.setattr("yaml.safe_load", lambda _: said)
        with pytest.raises(CatalogueError, match="x confirmed by"):
            crawlers.__wrapped__()
