from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bot.settings import load
from tests.deploy.validating import DEPLOY

FOLDER = DEPLOY / "kubernetes"
#: The oldest version that is still looked after, and the newest whose schemas the validator carries.
VERSIONS = ("1.34", "1.37")


def _objects() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


def _of(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in _objects() if each["kind"] == kind}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:kubernetes_validate.*")
def test_every_object_is_what_kubernetes_takes(version: str) -> None:
    """Each manifest fits that version's own schemas, and has no member that they do not know."""
    count = 0
    for each in _objects():
        kubernetes_validate.validate(each, version, strict=True)
        count += 1
    assert count >= 15


def test_the_kustomization_lists_every_file() -> None:
    """What is applied is all that is there."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")


@pytest.mark.parametrize("name", ["tandem-web", "tandem-worker"])
def test_pods_are_confined_and_asked_how_they_are(name: str) -> None:
    """Each pod fits the restricted standard, writes to its volumes alone, and has probes and time to stop."""
    spec = _of("Deployment")[name]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["resources"]["limits"]["memory"]
    assert pod["terminationGracePeriodSeconds"] >= 15
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_selectors_meet_their_pods() -> None:
    """Services, budgets, scalers and policies are about pods and workloads that exist."""
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in _of("Deployment").values()]

    def is_met(selector: dict[str, str]) -> bool:
        return any(selector.items() <= each.items() for each in labels)

    assert all(is_met(each["spec"]["selector"]) for each in _of("Service").values())
    for kind in ("PodDisruptionBudget", "Deployment"):
        assert all(is_met(each["spec"]["selector"]["matchLabels"]) for each in _of(kind).values())
    for policy in _of("NetworkPolicy").values():
        assert is_met(policy["spec"]["podSelector"].get("matchLabels", {}))
    assert {each["spec"]["scaleTargetRef"]["name"] for each in _of("HorizontalPodAutoscaler").values()} == set(
        _of("Deployment")
    )


def test_nothing_is_reached_that_is_not_named() -> None:
    """All is shut by default; the internal port is open to Prometheus alone, and no policy opens the engine."""
    policies = _of("NetworkPolicy")
    assert policies["tandem-nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opened = {}
    for name, policy in policies.items():
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                opened[port["port"]] = (name, rule["from"])
    assert set(opened) == {8080, 8081}
    (source,) = opened[8081][1]
    assert source["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}


def test_workers_are_scaled_by_the_age_of_what_waits() -> None:
    """The worker's scaler looks at the oldest message of the inbox, a metric that Tandem has."""
    (metric,) = _of("HorizontalPodAutoscaler")["tandem-worker"]["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == "tandem_oldest_seconds"
    assert metric["external"]["metric"]["selector"]["matchLabels"] == {"box": "inbox"}


def test_the_settings_are_known() -> None:
    """What the ConfigMap and the Secret set is known to the settings, once the secrets are filled in."""
    given = dict(_of("ConfigMap")["tandem"]["data"]) | dict(_of("Secret")["tandem"]["stringData"])
    filled = {name: value or "a-value-of-yours-42" for name, value in given.items()}
    assert load(filled).service.database.startswith("postgresql://")
    assert all(not given[name] for name in given if "TOKEN" in name or name.endswith("__SECRET"))
