from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from bot.settings import load
from tests.deploy.validating import DEPLOY, ROOT, run

COMPOSE = DEPLOY / "compose.yaml"


def _services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_the_containerfile_keeps_to_good_practice() -> None:
    """Hadolint, which knows what goes wrong in images, has nothing to say."""
    assert run("hadolint", str(DEPLOY / "Containerfile")) == (0, "")


def test_the_image_has_no_tools_and_no_rights() -> None:
    """The last stage builds nothing, runs as nobody of importance, and copies only from the stages before."""
    last = (DEPLOY / "Containerfile").read_text().rpartition("\nFROM ")[2]
    assert "USER 10001:10001" in last
    assert not re.search(r"gcc|build-essential|pip install|\.ci/environment", last)
    assert set(re.findall(r"^COPY (\S+)", last, re.MULTILINE)) == {"--from=model"}


def test_what_the_image_is_made_of_is_there() -> None:
    """Each file of the project that the Containerfile copies or calls exists, and secrets and state stay out."""
    text = (DEPLOY / "Containerfile").read_text()
    for name in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert (ROOT / name).exists(), name
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text().split()
    assert {"var", ".git", ".venv"} <= set(ignored)


def _read_as_compose(document: dict[str, Any]) -> PyCompose:
    # Merge keys are YAML's and members with x- are anybody's: compose, too, resolves them before it reads the rest.
    plain = {name: value for name, value in document.items() if not name.startswith("x-")}
    return PyCompose.from_yaml(yaml.safe_dump(plain))


def test_the_compose_file_is_one() -> None:
    """The specification's own parser takes it, with references that lead somewhere, and it would refuse others."""
    document = yaml.safe_load(COMPOSE.read_text())
    parsed = _read_as_compose(document)
    parsed.validate()
    assert set(parsed.service_names()) == {"web", "worker", "database"}
    with pytest.raises(ValueError, match="volume"):
        _read_as_compose(document | {"volumes": {}}).validate()
    with pytest.raises(ValueError, match="restart"):
        _read_as_compose(document | {"services": {"web": {"restart": "sometimes"}}})


def test_containers_can_do_no_more_than_they_need() -> None:
    """Ours run as nobody, on a root that cannot be written to, without rights; the database is reached from inside."""
    services = _services()
    for name in ("web", "worker"):
        ours = services[name]
        assert ours["read_only"] is True
        assert ours["user"] == "10001:10001"
        assert ours["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in ours["security_opt"]
        # Two replicas share the volume: their sockets would have the same names.
        assert any(mount.startswith("/var/lib/tandem/run:") for mount in ours["tmpfs"])
    assert services["database"]["networks"] == ["inner"]
    assert "ports" not in services["worker"]
    assert services["web"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "healthcheck" in services["database"]
    assert "HEALTHCHECK" in (DEPLOY / "Containerfile").read_text()


def test_the_environment_files_name_settings_that_exist() -> None:
    """What the examples set is known to the settings, once it is filled in."""
    text = (DEPLOY / "compose" / "tandem.example.env").read_text()
    given = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    filled = {name: value or "a-value-of-yours-42" for name, value in given.items()}
    settings = load(filled)
    assert settings.service.database.startswith("postgresql://")
    assert settings.slack.channel
